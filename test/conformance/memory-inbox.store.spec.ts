import { jest } from '@jest/globals';
import { MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import { describeInboxStore } from './inbox-store.conformance.js';

describeInboxStore('MemoryInboxStore', async () => {
  jest.useFakeTimers();
  return {
    store: new MemoryInboxStore(),
    advance: async (ms) => jest.advanceTimersByTime(ms),
    dispose: async () => {
      jest.useRealTimers();
    },
  };
});
