import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { InboxEvent, InboxLease } from 'nestjs-scalekit-webhooks';
import { LeaseLostError } from '../../../lib/errors/errors.js';
import { type SqliteDatabase, SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent, LEASE_MS } from '../../conformance/inbox-store.harness.js';
import { holdDate } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { sqliteDrivers, sqliteFile } from '../../helpers/sqlite-files.js';

const drivers = sqliteDrivers('SqliteInboxStore.transaction');

describe.each(drivers)('SqliteInboxStore.transaction on %s', (_name, open) => {
  let database: SqliteDatabase;
  let store: SqliteInboxStore;
  let event: InboxEvent;
  let lease: InboxLease;

  beforeEach(async () => {
    database = open(await sqliteFile());
    database.exec('CREATE TABLE seats (taken INTEGER)');
    store = new SqliteInboxStore({ database, busyTimeoutMs: 500 });
    event = anEvent();
    lease = aLease();
    await store.claim(event, ['A.run', 'B.run'], lease);
  });

  const seats = () => database.prepare('SELECT taken FROM seats').all().length;
  const stateOf = async (handlerId: string) =>
    (await store.get(event))?.runs.find((run) => run.handlerId === handlerId)?.state;
  const take = async (tx: SqliteDatabase) => {
    tx.exec('INSERT INTO seats VALUES (1)');
  };

  it("gives the work the store's connection, and returns its result after the commit", async () => {
    const result = await store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      await take(tx);
      return [tx.constructor.name, seats()];
    });

    expect(result).toEqual([database.constructor.name, 1]);
    expect([seats(), await stateOf('A.run'), await stateOf('B.run')]).toEqual([1, 'done', 'running']);
  });

  it('rolls everything back if the work throws', async () => {
    const failure = new Error('broken');

    const transaction = store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      await take(tx);
      throw failure;
    });

    await expect(transaction).rejects.toBe(failure);
    expect([seats(), await stateOf('A.run')]).toEqual([0, 'running']);
  });

  it.each(['ROLLBACK', 'COMMIT'])('rejects if the work ends the transaction with %s', async (end) => {
    const transaction = store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => tx.exec(end));

    await expect(transaction).rejects.toMatchObject({ setting: 'transaction' });
    expect(await stateOf('A.run')).toBe('running');
  });

  it.each(['commit', 'rollback'])('refuses statements of the work that come after the %s', async (end) => {
    let late: (() => unknown)[] = [];
    const transaction = store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      const statement = tx.prepare('INSERT INTO seats VALUES (2)');
      const { exec } = tx;
      const nested = 'transaction' in tx && typeof tx.transaction === 'function' && tx.transaction(() => {});
      late = [
        () => tx.exec('INSERT INTO seats VALUES (2)'),
        () => tx.prepare('SELECT 1'),
        () => exec('INSERT INTO seats VALUES (2)'),
        () => statement.run(),
        ...(nested ? [nested] : []),
      ];
      statement.run();
      if (end === 'rollback') throw new Error('broken');
    });
    await transaction.catch(() => {});

    expect(late.length).toBeGreaterThan(3);
    for (const use of late) expect(use).toThrow(expect.objectContaining({ setting: 'transaction' }));
    expect(seats()).toBe(end === 'commit' ? 1 : 0);
  });

  it('rolls everything back if another attempt has taken over', async () => {
    holdDate();
    jest.setSystemTime(Date.now() + LEASE_MS + 1);
    await store.claim(event, ['A.run'], aLease());

    await expect(store.transaction(event, 'A.run', lease, take)).rejects.toThrow(LeaseLostError);
    expect(seats()).toBe(0);
  });

  it('keeps claims and settlements of other deliveries out of the transaction', async () => {
    const held = deferred();
    const other = anEvent();
    const otherLease = aLease();

    const transaction = store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      await take(tx);
      await held.promise;
      throw new Error('rolled back');
    });
    const claimed = store.claim(other, ['A.run'], otherLease);
    const settled = store.settle(event, [{ handlerId: 'B.run', state: 'done' }], lease);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    held.resolve();

    await expect(transaction).rejects.toThrow('rolled back');
    expect((await claimed).get('A.run')).toEqual({ state: 'claimed', attempt: 1 });
    expect(await settled).toEqual(['B.run']);
    expect([seats(), await stateOf('A.run'), await stateOf('B.run')]).toEqual([0, 'running', 'done']);
    expect(await store.get(other)).toMatchObject({ runs: [{ state: 'running' }] });
  });

  it('shows others only what was committed', async () => {
    const held = deferred();
    const transaction = store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      await store.complete(tx, event, 'A.run', lease);
      await held.promise;
      throw new Error('rolled back');
    });
    await turn();

    const state = stateOf('A.run');
    for (let turns = 0; turns < 50; turns += 1) await turn();
    held.resolve();

    await expect(transaction).rejects.toThrow('rolled back');
    expect(await state).toBe('running');
  });

  it('runs the transactions of concurrent handlers one after another', async () => {
    const counts: number[] = [];
    const events = Array.from({ length: 10 }, () => anEvent());
    await Promise.all(events.map((each) => store.claim(each, ['A.run'], lease)));

    await Promise.all(
      events.map((each) =>
        store.transaction(each, 'A.run', lease, async (tx: SqliteDatabase) => {
          const before = seats();
          await turn();
          await take(tx);
          counts.push(seats() - before);
        }),
      ),
    );

    expect(counts).toEqual(Array.from({ length: 10 }, () => 1));
    expect(await store.count({ state: 'done' })).toBe(10);
  });

  it('rejects what waits longer than busyTimeoutMs for a transaction that does not end', async () => {
    const held = deferred();
    const transaction = store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      await take(tx);
      await held.promise;
    });

    const claimed = store.claim(anEvent(), ['A.run'], aLease());
    const second = store.transaction(event, 'B.run', lease, take);

    await Promise.all([
      expect(claimed).rejects.toThrow('waited too long'),
      expect(second).rejects.toThrow('waited too long'),
    ]);
    held.resolve();
    await transaction;
    expect([seats(), await stateOf('A.run'), await stateOf('B.run')]).toEqual([1, 'done', 'running']);
  });

  it("refuses to complete another run in a run's transaction", async () => {
    let failure: unknown;
    await store.transaction(event, 'A.run', lease, async (tx: SqliteDatabase) => {
      failure = await store.complete(tx, event, 'B.run', lease).catch((error) => error);
    });

    expect(failure).toMatchObject({ setting: 'transaction' });
    expect(await stateOf('B.run')).toBe('running');
  });
});
