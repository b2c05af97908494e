import { afterEach, jest } from '@jest/globals';

/** Stops the time that the library and the test see; the network goes on. It runs again when the test ends. */
export function holdClock(): void {
  jest.useFakeTimers({
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
    ],
  });
}

afterEach(() => {
  jest.useRealTimers();
});
