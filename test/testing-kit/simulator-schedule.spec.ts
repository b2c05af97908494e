import { describe, expect, it } from '@jest/globals';
import { SCALEKIT_SCHEDULES } from 'nestjs-scalekit-webhooks/testing';
import { waitsOf } from '../../lib/testing/delivery-simulator.options.js';
import { planCopies } from '../../lib/testing/delivery-simulator.run.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function sum(waits: readonly number[]): number {
  return waits.reduce((total, wait) => total + wait, 0);
}

describe("Scalekit's retry schedules", () => {
  it('are six attempts in less than 23 minutes in the guide', () => {
    expect(SCALEKIT_SCHEDULES.guide).toEqual([0, 5000, 30_000, 120_000, 300_000, 900_000]);
    expect(sum(SCALEKIT_SCHEDULES.guide)).toBeLessThan(23 * MINUTE);
  });

  it('are the first attempt and three retries where the guide says "up to 3 times"', () => {
    expect(SCALEKIT_SCHEDULES['guide-short']).toEqual(SCALEKIT_SCHEDULES.guide.slice(0, 4));
  });

  it('are four attempts in 21 minutes on the page about the log', () => {
    expect(SCALEKIT_SCHEDULES.dashboard).toEqual([0, MINUTE, 5 * MINUTE, 15 * MINUTE]);
  });

  it('are eight attempts in about 28 hours in the SCIM quickstart', () => {
    expect(SCALEKIT_SCHEDULES.scim).toHaveLength(8);
    expect(sum(SCALEKIT_SCHEDULES.scim) / HOUR).toBeCloseTo(27.6, 1);
  });

  it('run faster with a timeScale', () => {
    expect(waitsOf('guide', 1000)).toEqual([0, 5, 30, 120, 300, 900]);
    expect(waitsOf([0, 100], 10)).toEqual([0, 10]);
  });
});

describe('The plan of a simulation', () => {
  const options = { duplicates: 6, reorder: true, seed: 7 };

  it('is the same for the same seed, and different for another', () => {
    expect(planCopies(50, options)).toEqual(planCopies(50, options));
    expect(planCopies(50, options)).not.toEqual(planCopies(50, { ...options, seed: 8 }));
  });

  it('sends each event 1 to n times, and uses every number of copies', () => {
    const times = new Map<number, number>();
    for (const { index } of planCopies(500, options)) times.set(index, (times.get(index) ?? 0) + 1);

    expect(times.size).toBe(500);
    expect([...new Set(times.values())].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('keeps the order of the events unless reorder is set', () => {
    const inOrder = planCopies(20, { ...options, reorder: false }).map(({ index }) => index);

    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    const reordered = planCopies(20, options).map(({ index }) => index);
    expect(reordered).not.toEqual(inOrder);
    expect(reordered.toSorted((a, b) => a - b)).toEqual(inOrder);
  });
});
