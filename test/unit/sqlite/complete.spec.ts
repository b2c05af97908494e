import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type Database from 'libsql';
import { LeaseLostError } from '../../../lib/errors/errors.js';
import { SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent, LEASE_MS } from '../../conformance/inbox-store.harness.js';
import { holdDate } from '../../helpers/clock.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

const DONE = [{ handlerId: 'A.run', state: 'done' as const }];

describe.each(['another connection', "the store's connection"])('SqliteInboxStore.complete on %s', (kind) => {
  let database: Database.Database;
  let store: SqliteInboxStore;
  const event = anEvent();
  const lease = aLease();

  beforeEach(async () => {
    const file = await sqliteFile();
    database = openSqlite(file);
    store = new SqliteInboxStore({
      database: kind === 'another connection' ? openSqlite(file) : database,
    });
    database.exec('CREATE TABLE seats (taken INTEGER)');
    await store.claim(event, ['A.run', 'B.run'], lease);
    database.exec('BEGIN IMMEDIATE');
    database.exec('INSERT INTO seats VALUES (1)');
  });

  const seats = () => database.prepare('SELECT * FROM seats').all().length;
  const claimAgain = async () => (await store.claim(event, ['A.run'], aLease())).get('A.run');
  const loseLease = async () => {
    database.exec('COMMIT');
    holdDate();
    jest.setSystemTime(Date.now() + LEASE_MS + 1);
    const next = aLease();
    await store.claim(event, ['A.run'], next);
    database.exec('BEGIN IMMEDIATE');
    database.exec('INSERT INTO seats VALUES (2)');
    return next;
  };

  it('commits the record with the effect', async () => {
    await store.complete(database, event, 'A.run', lease);
    database.exec('COMMIT');

    expect(seats()).toBe(1);
    expect(await claimAgain()).toEqual({ state: 'done' });
    expect(await store.get(event)).toMatchObject({
      runs: [
        { handlerId: 'A.run', state: 'done', attempts: 1 },
        { handlerId: 'B.run', state: 'running' },
      ],
    });
  });

  it('rolls the record back with the effect', async () => {
    await store.complete(database, event, 'A.run', lease);
    database.exec('ROLLBACK');

    expect(seats()).toBe(0);
    expect(await claimAgain()).toMatchObject({ state: 'running' });
  });

  it('accepts the settlement that follows', async () => {
    await store.complete(database, event, 'A.run', lease);
    database.exec('COMMIT');

    expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
    expect(await store.settle(event, DONE, aLease())).toEqual([]);
    expect(await claimAgain()).toEqual({ state: 'done' });
  });

  it('is not undone by a settlement that says failed', async () => {
    await store.complete(database, event, 'A.run', lease);
    database.exec('COMMIT');

    const failed = {
      handlerId: 'A.run',
      state: 'failed' as const,
      error: { name: 'Error', message: 'late' },
    };
    expect(await store.settle(event, [failed], lease)).toEqual([]);
    expect(await claimAgain()).toEqual({ state: 'done' });
  });

  it('rejects once the run is done, so that an effect is never committed twice', async () => {
    await store.complete(database, event, 'A.run', lease);
    database.exec('COMMIT');
    database.exec('BEGIN');

    await expect(store.complete(database, event, 'A.run', lease)).rejects.toThrow(LeaseLostError);
    database.exec('ROLLBACK');
  });

  it('rejects if another attempt has taken over', async () => {
    const next = await loseLease();

    const completed = store.complete(database, event, 'A.run', lease);

    await expect(completed).rejects.toThrow(LeaseLostError);
    await expect(completed).rejects.toMatchObject({ code: 'lease_lost', handlerId: 'A.run' });
    database.exec('ROLLBACK');
    expect(seats()).toBe(1);
    expect(await store.settle(event, DONE, next)).toEqual(['A.run']);
  });

  it('rejects if the attempt that took over is done', async () => {
    const next = await loseLease();
    await store.complete(database, event, 'A.run', next);
    database.exec('COMMIT');
    database.exec('BEGIN');

    await expect(store.complete(database, event, 'A.run', lease)).rejects.toThrow(LeaseLostError);
    database.exec('ROLLBACK');
  });

  it('rejects if the handler was never claimed', async () => {
    await expect(store.complete(database, event, 'C.run', lease)).rejects.toThrow(LeaseLostError);
    await expect(store.complete(database, anEvent(), 'A.run', lease)).rejects.toThrow(LeaseLostError);
    database.exec('ROLLBACK');
  });

  it('succeeds after the lease has ended, if no other attempt has taken over', async () => {
    holdDate();
    jest.setSystemTime(Date.now() + LEASE_MS + 1);

    await store.complete(database, event, 'A.run', lease);
    database.exec('COMMIT');

    expect(await claimAgain()).toEqual({ state: 'done' });
  });

  it('rejects a connection without a transaction, and writes nothing', async () => {
    database.exec('ROLLBACK');

    const completed = store.complete(database, event, 'A.run', lease);

    await expect(completed).rejects.toMatchObject({ code: 'configuration_invalid', setting: 'transaction' });
    expect(database.inTransaction).toBe(false);
    expect(await claimAgain()).toMatchObject({ state: 'running' });
  });

  it('rejects a value that is not a connection', async () => {
    for (const transaction of [undefined, 'tx', { query: () => [] }]) {
      await expect(store.complete(transaction as never, event, 'A.run', lease)).rejects.toMatchObject({
        setting: 'transaction',
      });
    }
    database.exec('ROLLBACK');
  });
});
