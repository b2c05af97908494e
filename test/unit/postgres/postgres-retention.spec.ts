import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PostgresRetention } from '../../../lib/postgres/postgres-inbox.store.js';
import { deferred } from '../../helpers/deferred.js';

const HOUR_MS = 60 * 60 * 1000;

describe('Forgetting beside the work', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('starts at the first reminder, and then once an hour at most', () => {
    const forget = jest.fn(async () => {});
    const retention = new PostgresRetention(forget);

    retention.remind();
    retention.remind();
    expect(forget).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(HOUR_MS - 1);
    retention.remind();
    expect(forget).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1);
    retention.remind();
    expect(forget).toHaveBeenCalledTimes(2);
  });

  it('lets its end be waited for', async () => {
    const round = deferred();
    const retention = new PostgresRetention(() => round.promise);
    retention.remind();
    let isAtRest = false;
    const rest = retention.rest().then(() => {
      isAtRest = true;
    });

    await Promise.resolve();
    expect(isAtRest).toBe(false);
    round.resolve();
    await rest;
  });

  it('is no failure of the work that reminded it', async () => {
    const retention = new PostgresRetention(() => Promise.reject(new Error('down')));

    retention.remind();

    await expect(retention.rest()).resolves.toBeUndefined();
  });
});
