import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../lib/dispatch/timeout.js';

const HOUR_MS = 60 * 60 * 1000;

describe('The wait before a retry', () => {
  it('is the same each time if it is a number, or fixed', () => {
    expect([1, 2, 9].map((failed) => backoffMs(500, failed))).toEqual([500, 500, 500]);
    expect([1, 9].map((failed) => backoffMs({ type: 'fixed', delayMs: 500 }, failed))).toEqual([500, 500]);
  });

  it('doubles each time if it is exponential, and up to half of it is left to chance', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 6 }), (delayMs, failed) => {
        const longest = Math.min(delayMs * 2 ** (failed - 1), HOUR_MS);
        const wait = backoffMs({ type: 'exponential', delayMs }, failed);

        expect(wait).toBeGreaterThanOrEqual(longest / 2);
        expect(wait).toBeLessThanOrEqual(longest);
        expect(Number.isInteger(wait)).toBe(true);
      }),
    );
  });

  it('is at most an hour, unless the first one is longer', () => {
    expect(backoffMs({ type: 'exponential', delayMs: 1000 }, 2000)).toBeLessThanOrEqual(HOUR_MS);
    expect(backoffMs({ type: 'exponential', delayMs: 3 * HOUR_MS }, 9)).toBeGreaterThanOrEqual(1.5 * HOUR_MS);
    expect(backoffMs({ type: 'exponential', delayMs: 3 * HOUR_MS }, 9)).toBeLessThanOrEqual(3 * HOUR_MS);
  });
});
