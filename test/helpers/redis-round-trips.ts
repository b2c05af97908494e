import { jest } from '@jest/globals';
import type { Redis } from 'ioredis';

/** Counts round trips: commands that are sent in the same tick share one. */
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
