import { afterEach, jest } from '@jest/globals';

const NEVER_FAKED = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
] as const;

/** Stops the time that the library and the test see, timeouts included. The network still works. */
export function holdClock(): void {
  jest.useFakeTimers({ doNotFake: [...NEVER_FAKED] });
}

/** Stops the date alone: timeouts still fire. */
export function holdDate(): void {
  jest.useFakeTimers({ doNotFake: [...NEVER_FAKED, 'setTimeout', 'clearTimeout'] });
}

/** Lets time pass again as it does for everybody, but from where it was held. */
export function letTimeGoOn(): void {
  jest.useFakeTimers({ now: Date.now(), advanceTimers: true, doNotFake: [...NEVER_FAKED] });
}

afterEach(() => {
  jest.useRealTimers();
});
