import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PostgresInboxStore, type PostgresQueryable, type PostgresRow } from '../../../lib/postgres/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { deferred } from '../../helpers/deferred.js';

const HOUR_MS = 60 * 60 * 1000;

/** A store on a client that has no events, and prunes as the test says. */
function storeThatPrunes(prune: () => Promise<PostgresRow[]>): PostgresInboxStore {
  const client: PostgresQueryable = {
    query: async (text) => (text.includes('DELETE FROM') ? prune() : []),
  };
  return new PostgresInboxStore({ client, application: 'test', migrate: false });
}

describe('The retention of PostgresInboxStore', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('prunes with the first claim, and then once an hour at most', async () => {
    const prune = jest.fn(async () => []);
    const store = storeThatPrunes(prune);

    await store.claim(anEvent(), [], aLease());
    await store.claim(anEvent(), [], aLease());
    expect(prune).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(HOUR_MS - 1);
    await store.claim(anEvent(), [], aLease());
    expect(prune).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1);
    await store.claim(anEvent(), [], aLease());
    expect(prune).toHaveBeenCalledTimes(2);
  });

  it('finishes its work before close resolves', async () => {
    const pruned = deferred<PostgresRow[]>();
    const store = storeThatPrunes(() => pruned.promise);
    await store.claim(anEvent(), [], aLease());
    let isClosed = false;
    const closed = store.close().then(() => {
      isClosed = true;
    });

    await Promise.resolve();
    expect(isClosed).toBe(false);
    pruned.resolve([]);
    await closed;
  });

  it('does not fail the claim or close when it fails', async () => {
    const store = storeThatPrunes(() => Promise.reject(new Error('down')));

    await expect(store.claim(anEvent(), [], aLease())).resolves.toBeDefined();
    await expect(store.close()).resolves.toBeUndefined();
  });

  it('reports each failure, once an hour at most, to the function that was registered last', async () => {
    const failure = new Error('permission denied');
    const [first, report] = [jest.fn(), jest.fn()];
    const store = storeThatPrunes(() => Promise.reject(failure));
    store.onWarning(first);
    store.onWarning(report);

    for (const ms of [0, 1, HOUR_MS - 2, 1, 1]) {
      jest.advanceTimersByTime(ms);
      await store.claim(anEvent(), [], aLease());
    }
    await store.close();

    expect(report).toHaveBeenCalledTimes(2);
    expect(report).toHaveBeenCalledWith(expect.stringContaining('"inbox_events"'), failure);
    expect(first).not.toHaveBeenCalled();
  });

  it('does not report events that were deleted, or that it had none to delete', async () => {
    const report = jest.fn();
    const answers = [
      [{ seen: 500, forgotten: 499 }],
      [{ seen: 1, forgotten: 0 }],
      [{ seen: 0, forgotten: 0 }],
    ];
    const store = storeThatPrunes(async () => answers.shift() ?? []);
    store.onWarning(report);

    await store.claim(anEvent(), [], aLease());
    await store.close();
    jest.advanceTimersByTime(HOUR_MS);
    await store.claim(anEvent(), [], aLease());
    await store.close();

    expect(report).not.toHaveBeenCalled();
    expect(answers).toEqual([]);
  });
});
