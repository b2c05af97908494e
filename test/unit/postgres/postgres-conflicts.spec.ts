import { describe, expect, it } from '@jest/globals';
import { isConflict, retryConflicts } from '../../../lib/postgres/postgres.connection.js';

const CONFLICT = Object.assign(new Error('could not serialize access'), { code: '40001' });

describe('retryConflicts', () => {
  it('tries again after a conflict', async () => {
    let failures = 3;

    const answer = retryConflicts(async () => {
      failures -= 1;
      if (failures >= 0) throw CONFLICT;
      return 'written';
    });

    expect(await answer).toBe('written');
  });

  it('rejects with the conflict after 20 attempts', async () => {
    let attempts = 0;

    const answer = retryConflicts(async () => {
      attempts += 1;
      throw CONFLICT;
    });

    await expect(answer).rejects.toBe(CONFLICT);
    expect(attempts).toBe(20);
  });

  it('rejects at once with any other error', async () => {
    let attempts = 0;
    const refused = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' });

    const answer = retryConflicts(async () => {
      attempts += 1;
      throw refused;
    });

    await expect(answer).rejects.toBe(refused);
    expect(attempts).toBe(1);
  });
});

describe('isConflict', () => {
  it.each([
    ['pg', CONFLICT],
    ['a deadlock', { code: '40P01' }],
    ['TypeORM', { driverError: CONFLICT }],
    ['Drizzle', { cause: CONFLICT }],
    ['Prisma', { code: 'P2010', meta: { code: '40001' } }],
    ['a driver adapter of Prisma', { meta: { driverAdapterError: { cause: { originalCode: '40001' } } } }],
  ])('recognizes a conflict that is reported by %s', (_, error) => {
    expect(isConflict(error)).toBe(true);
  });

  it.each([undefined, null, '40001', new Error('40001'), { code: '57014' }])('is false for %p', (error) => {
    expect(isConflict(error)).toBe(false);
  });

  it('is false for an error that is its own cause', () => {
    const error: { cause?: unknown } = {};
    error.cause = error;

    expect(isConflict(error)).toBe(false);
  });
});
