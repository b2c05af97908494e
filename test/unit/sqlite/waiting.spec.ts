import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

const DONE = [{ handlerId: 'B.run', state: 'done' as const }];

/** Whether a promise settles within a number of turns of the event loop. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  for (let turns = 0; turns < 100 && !settled; turns += 1) await turn();
  return settled;
}

describe.each(['another connection', "the store's connection"])(
  'While a handler has an open transaction on %s,',
  (kind) => {
    async function setUp() {
      const file = await sqliteFile();
      const handlers = openSqlite(file, { timeout: 60_000 });
      const own = kind === 'another connection' ? openSqlite(file, { timeout: 60_000 }) : handlers;
      const store = new SqliteInboxStore({ database: own });
      const event = anEvent();
      const lease = aLease();
      await store.claim(event, ['A.run', 'B.run'], lease);
      handlers.exec('BEGIN IMMEDIATE');
      return { file, store, handlers, event, lease };
    }

    it('another run is settled when the transaction ends, without blocking the event loop', async () => {
      const { store, handlers, event, lease } = await setUp();

      const settled = store.settle(event, DONE, lease);
      expect(await hasSettled(settled)).toBe(false);
      await store.complete(handlers, event, 'A.run', lease);
      expect(await hasSettled(settled)).toBe(false);
      handlers.exec('COMMIT');

      expect(await settled).toEqual(['B.run']);
      expect(await store.count({ state: 'done' })).toBe(1);
      expect(await store.count({ state: 'running' })).toBe(0);
    });

    it('a rollback does not undo the settlement of another run', async () => {
      const { store, handlers, event, lease } = await setUp();

      const settled = store.settle(event, DONE, lease);
      await hasSettled(settled);
      await store.complete(handlers, event, 'A.run', lease);
      handlers.exec('ROLLBACK');

      expect(await settled).toEqual(['B.run']);
      expect(await store.get(event)).toMatchObject({ runs: [{ state: 'running' }, { state: 'done' }] });
    });

    it('waiting writes happen in the order of the calls', async () => {
      const { store, handlers } = await setUp();
      const events = [anEvent(), anEvent(), anEvent()];

      const claims = events.map((event) => store.claim(event, ['A.run'], aLease()));
      await hasSettled(Promise.all(claims));
      handlers.exec('COMMIT');
      await Promise.all(claims);

      const { entries } = await store.list();
      expect(entries.slice(1).map(({ eventId }) => eventId)).toEqual(events.map(({ eventId }) => eventId));
    });

    it('the inbox can be read', async () => {
      const { store, handlers, event } = await setUp();

      expect(await store.get(event)).toBeDefined();
      await expect(store.ping()).resolves.toBeUndefined();
      handlers.exec('ROLLBACK');
    });

    it('a new store waits before it creates its tables', async () => {
      const { file, store, handlers } = await setUp();
      const database = kind === 'another connection' ? openSqlite(file) : handlers;
      const other = new SqliteInboxStore({ database, tablePrefix: 'other_' });

      const ready = other.ping();
      expect(await hasSettled(ready)).toBe(false);
      handlers.exec('ROLLBACK');

      await expect(ready).resolves.toBeUndefined();
      expect(await store.count()).toBe(1);
    });
  },
);

describe('A transaction that does not end', () => {
  it("makes a claim reject with the driver's error after busyTimeoutMs, and a later claim succeeds", async () => {
    const file = await sqliteFile();
    const other = openSqlite(file);
    const store = new SqliteInboxStore({ database: openSqlite(file), busyTimeoutMs: 50 });
    await store.ping();
    other.exec('BEGIN IMMEDIATE');

    await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toMatchObject({ code: 'SQLITE_BUSY' });
    other.exec('ROLLBACK');

    await expect(store.claim(anEvent(), ['A.run'], aLease())).resolves.toBeDefined();
    expect(await store.count()).toBe(1);
  });

  it.each(['the first use', 'a later use'])(
    'delays calls and close() at %s for no longer than busyTimeoutMs, and works afterwards',
    async (use) => {
      const file = await sqliteFile();
      const other = openSqlite(file);
      const store = new SqliteInboxStore({ database: openSqlite(file), busyTimeoutMs: 50 });
      if (use === 'a later use') await store.ping();
      other.exec('BEGIN IMMEDIATE');
      const begun = performance.now();

      const claim = expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toThrow(/locked/);
      const settlement = expect(store.settle(anEvent(), DONE, aLease())).rejects.toThrow(/locked/);
      await store.close();
      await Promise.all([claim, settlement]);

      expect(performance.now() - begun).toBeLessThan(1000);
      other.exec('ROLLBACK');
      expect((await store.claim(anEvent(), ['A.run'], aLease())).size).toBe(1);
    },
  );

  it('delays no write for longer than busyTimeoutMs, however many are waiting', async () => {
    const file = await sqliteFile();
    const other = openSqlite(file);
    const store = new SqliteInboxStore({ database: openSqlite(file), busyTimeoutMs: 100 });
    await store.ping();
    other.exec('BEGIN IMMEDIATE');
    const begun = performance.now();

    const claims = Array.from({ length: 20 }, () => store.claim(anEvent(), ['A.run'], aLease()));
    const answers = await Promise.allSettled(claims);

    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
    expect(performance.now() - begun).toBeLessThan(1000);
    other.exec('ROLLBACK');
  });
});
