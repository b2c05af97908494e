import { describe, expect, it } from '@jest/globals';
import { median, quantile, ratio } from './measure.js';
import { reachesGoal } from './section.js';

describe('The figures of the bench', () => {
  it('are medians, so that one unusual round does not change them', () => {
    expect(median([5, 1, 1000])).toBe(5);
    expect(median([1, 2, 3, 4])).toBe(2.5);
  });

  it('have quantiles interpolated between neighbors', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([3, 1, 2], 1)).toBe(3);
  });

  it('compare what ran in the same round', () => {
    const slowInTheLastRound = [10, 10, 100];

    expect(ratio({ name: 'a', samples: slowInTheLastRound }, { name: 'b', samples: [5, 5, 50] })).toBe(2);
  });

  it.each([
    [{ atMost: 1.15 }, 1.15, true],
    [{ atMost: 1.15 }, 1.16, false],
    [{ atLeast: 6 }, 6, true],
    [{ atLeast: 6 }, 5.9, false],
    [{ atMost: 1 }, Number.NaN, false],
    [{ atLeast: 1 }, Number.NaN, false],
    [{}, 1, true],
  ])('reach the goal %j with %d: %s', (goal, measured, isReached) => {
    expect(reachesGoal({ name: 'a figure', measured, ...goal })).toBe(isReached);
  });
});
