import { describe, expect, it } from '@jest/globals';
import { ratio } from './rounds.js';
import { holds } from './section.js';
import { median, quantile } from './statistics.js';

describe("The bench's figures", () => {
  it('are medians that one odd round does not move', () => {
    expect(median([5, 1, 1000])).toBe(5);
    expect(median([1, 2, 3, 4])).toBe(2.5);
  });

  it('have quantiles between the values beside them', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([3, 1, 2], 1)).toBe(3);
  });

  it('compare what ran in the same round', () => {
    const slowRoundLast = [10, 10, 100];

    expect(ratio({ name: 'a', samples: slowRoundLast }, { name: 'b', samples: [5, 5, 50] })).toBe(2);
  });

  it.each([
    [{ atMost: 1.15 }, 1.15, true],
    [{ atMost: 1.15 }, 1.16, false],
    [{ atLeast: 6 }, 6, true],
    [{ atLeast: 6 }, 5.9, false],
    [{ atMost: 1 }, Number.NaN, false],
    [{ atLeast: 1 }, Number.NaN, false],
  ])('hold %j with %d: %s', (bound, measured, held) => {
    expect(holds({ figure: 'a figure', measured, ...bound })).toBe(held);
  });
});
