import { jest } from '@jest/globals';
import type { Redis } from 'ioredis';

/** Counts groups of commands that leave in the same tick: each group is one round trip. */
export function countRoundTrips(client: Redis): () => number {
  let [roundTrips, open] = [0, false];
  const send = client.sendCommand.bind(client);
  jest.spyOn(client, 'sendCommand').mockImplementation((...args) => {
    if (!open) {
      roundTrips += 1;
      open = true;
      queueMicrotask(() => {
        open = false;
      });
    }
    return send(...args);
  });
  return () => roundTrips;
}
