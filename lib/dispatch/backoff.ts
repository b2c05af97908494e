import type { HandlerRetries } from './event-transport.js';

// So that many attempts do not lead to waits of years.
const LONGEST_WAIT_MS = 60 * 60 * 1000;

/**
 * How long to wait before the next attempt, in ms. An exponential wait doubles each time, up to an hour or its first value,
 * whichever is longer. Half of it is random, so that runs that failed together do not come back together.
 *
 * @param failedAttempts how many attempts have failed so far, from 1
 */
export function backoffMs(backoff: NonNullable<HandlerRetries['backoff']>, failedAttempts: number): number {
  if (typeof backoff === 'number') return backoff;
  const { type, delayMs } = backoff;
  if (type === 'fixed') return delayMs;
  const longest = Math.max(LONGEST_WAIT_MS, delayMs);
  return Math.ceil(Math.min(delayMs * 2 ** (failedAttempts - 1), longest) * (0.5 + Math.random() / 2));
}
