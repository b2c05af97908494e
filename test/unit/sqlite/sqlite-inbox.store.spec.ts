import { describe, expect, it, jest } from '@jest/globals';
import { type SqliteDatabase, SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent, LEASE_MS } from '../../conformance/inbox-store.harness.js';
import { holdDate } from '../../helpers/clock.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

const DAY_MS = 24 * 60 * 60 * 1000;

function someEvents(count: number) {
  return Array.from({ length: count }, () => anEvent());
}

async function handle(store: SqliteInboxStore, event = anEvent()) {
  const lease = aLease();
  await store.claim(event, ['A.run'], lease);
  await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
}

function pragma(database: SqliteDatabase, name: string): unknown {
  return Object.values(Object(database.prepare(`PRAGMA ${name}`).all()[0]))[0];
}

describe('SqliteInboxStore', () => {
  it('creates nothing before its first use', async () => {
    const database = openSqlite(await sqliteFile());
    const store = new SqliteInboxStore({ database });

    expect(database.prepare('SELECT name FROM sqlite_schema').all()).toEqual([]);
    await store.ping();
    expect(database.prepare('SELECT name FROM sqlite_schema').all()).not.toEqual([]);
  });

  it('sets WAL mode and synchronous = FULL', async () => {
    const database = openSqlite(await sqliteFile());
    database.exec('PRAGMA synchronous = NORMAL');

    await new SqliteInboxStore({ database }).ping();

    expect(pragma(database, 'journal_mode')).toBe('wal');
    expect(pragma(database, 'synchronous')).toBe(2);
  });

  it('keeps a stricter setting of the connection', async () => {
    const database = openSqlite(await sqliteFile(), { timeout: 3000 });
    database.exec('PRAGMA synchronous = EXTRA');

    await new SqliteInboxStore({ database }).ping();

    expect(pragma(database, 'synchronous')).toBe(3);
    expect(pragma(database, 'busy_timeout')).toBe(3000);
  });

  it('keeps its data when the file is opened again', async () => {
    const file = await sqliteFile();
    const event = anEvent();
    await handle(new SqliteInboxStore({ database: openSqlite(file) }), event);

    const again = new SqliteInboxStore({ database: openSqlite(file) });

    expect(await again.claim(event, ['A.run'], aLease())).toEqual(new Map([['A.run', { state: 'done' }]]));
    expect(Buffer.from((await again.payload(event)) ?? [])).toEqual(event.payload);
  });

  it('separates inboxes with different table prefixes', async () => {
    const database = openSqlite(':memory:');
    await handle(new SqliteInboxStore({ database, tablePrefix: 'one_' }));

    expect(await new SqliteInboxStore({ database, tablePrefix: 'two_' }).count()).toBe(0);
  });

  it.each([
    ['tablePrefix', { tablePrefix: '' }],
    ['tablePrefix', { tablePrefix: 'a; DROP TABLE users; --' }],
    ['tablePrefix', { tablePrefix: '1st_' }],
    ['tablePrefix', { tablePrefix: 'SQLite_' }],
    ['tablePrefix', { tablePrefix: 'x'.repeat(41) }],
    ['retentionMs', { retentionMs: 0 }],
    ['retentionMs', { retentionMs: Number.NaN }],
    ['busyTimeoutMs', { busyTimeoutMs: 1.5 }],
  ])('rejects an invalid %s: %j', (setting, options) => {
    expect(() => new SqliteInboxStore({ database: openSqlite(':memory:'), ...options })).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', setting }),
    );
  });

  it('rejects a value that is not a connection', () => {
    const options = JSON.parse('{ "database": "inbox.db" }');

    expect(() => new SqliteInboxStore(options)).toThrow(/node:sqlite, better-sqlite3 or libsql/);
  });

  it('rejects the tables of a newer version', async () => {
    const database = openSqlite(':memory:');
    await new SqliteInboxStore({ database }).ping();
    database.exec('UPDATE scalekit_webhooks_meta SET version = version + 1');

    await expect(new SqliteInboxStore({ database }).ping()).rejects.toThrow(/newer version/);
  });

  it('prepares its statements once', async () => {
    const database = openSqlite(await sqliteFile());
    const store = new SqliteInboxStore({ database });
    await handle(store);
    await handle(store);
    const prepare = jest.spyOn(database, 'prepare');

    await handle(store);

    expect(prepare).not.toHaveBeenCalled();
  });

  it('does not close the connection', async () => {
    const database = openSqlite(':memory:');
    const store = new SqliteInboxStore({ database });
    await handle(store);

    await store.close();

    expect(database.open).toBe(true);
    expect(await store.count()).toBe(1);
  });

  it('finishes its writes before close resolves', async () => {
    const database = openSqlite(await sqliteFile());
    const store = new SqliteInboxStore({ database });
    const claimed = store.claim(anEvent(), ['A.run'], aLease());

    await store.close();

    expect(database.prepare('SELECT state FROM scalekit_webhooks_handlers').all()).toEqual([
      { state: 'running' },
    ]);
    await claimed;
  });

  it('rejects while the database fails, and recovers', async () => {
    const database = openSqlite(':memory:');
    const outage = { on: true };
    const store = new SqliteInboxStore({
      database: {
        exec: (sql) => {
          if (outage.on) throw new Error('disk I/O error');
          return database.exec(sql);
        },
        prepare: (sql) => database.prepare(sql),
      },
    });

    await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toThrow('disk I/O error');
    await expect(store.ping()).rejects.toThrow('disk I/O error');
    outage.on = false;

    await expect(store.ping()).resolves.toBeUndefined();
    await handle(store);
    expect(await store.count()).toBe(1);
  });

  it('writes a claim completely or not at all', async () => {
    const database = openSqlite(':memory:');
    const store = new SqliteInboxStore({ database });
    await store.ping();
    database.exec(`CREATE TRIGGER full BEFORE INSERT ON scalekit_webhooks_handlers
      WHEN NEW.handler_id = 'B.run' BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`);

    await expect(store.claim(anEvent(), ['A.run', 'B.run'], aLease())).rejects.toThrow('disk is full');

    expect(await store.count()).toBe(0);
    expect(database.inTransaction).toBe(false);
  });

  it('commits concurrent writes together, and fails only the write that fails', async () => {
    const database = openSqlite(':memory:');
    const commits = jest.spyOn(database, 'exec');
    const store = new SqliteInboxStore({ database });
    await store.ping();
    database.exec(`CREATE TRIGGER refuse BEFORE INSERT ON scalekit_webhooks_handlers
      WHEN NEW.handler_id = 'B.run' BEGIN SELECT RAISE(ABORT, 'no room'); END`);
    commits.mockClear();

    const answers = await Promise.allSettled(
      someEvents(20).map((event, number) =>
        store.claim(event, ['A.run', number === 7 ? 'B.run' : 'C.run'], aLease()),
      ),
    );

    expect(answers.flatMap(({ status }, number) => (status === 'rejected' ? [number] : []))).toEqual([7]);
    expect(await store.count()).toBe(19);
    expect(commits.mock.calls.filter(([sql]) => sql === 'COMMIT').length).toBeLessThan(4);
  });

  it('rejects every write of a transaction that the database rolled back, and writes none of them', async () => {
    const database = openSqlite(':memory:');
    const store = new SqliteInboxStore({ database });
    await handle(store);
    database.exec(`CREATE TRIGGER full BEFORE INSERT ON scalekit_webhooks_handlers
      WHEN NEW.handler_id = 'B.run' BEGIN SELECT RAISE(ROLLBACK, 'disk is full'); END`);

    const answers = await Promise.allSettled(
      someEvents(6).map((event, number) => store.claim(event, [number === 3 ? 'B.run' : 'A.run'], aLease())),
    );

    const written = answers.filter(({ status }) => status === 'fulfilled').length;
    expect(answers[3]).toMatchObject({ status: 'rejected', reason: { message: 'disk is full' } });
    expect(await store.count()).toBe(1 + written);
    database.exec('DROP TRIGGER full');
    await handle(store);
    expect(await store.count()).toBe(2 + written);
  });
});

describe('retentionMs', () => {
  it('deletes events older than 30 days, with their payloads, while new ones arrive', async () => {
    holdDate();
    const database = openSqlite(':memory:');
    const store = new SqliteInboxStore({ database });
    await handle(store);
    jest.setSystemTime(Date.now() + 30 * DAY_MS + 1);

    await handle(store);

    expect(await store.count()).toBe(1);
    expect(database.prepare('SELECT * FROM scalekit_webhooks_payloads').all()).toHaveLength(1);
    expect(database.prepare('SELECT * FROM scalekit_webhooks_handlers').all()).toHaveLength(1);
  });

  it('keeps an expired event while one of its runs is in progress', async () => {
    holdDate();
    const store = new SqliteInboxStore({ database: openSqlite(':memory:'), retentionMs: 1000 });
    const event = anEvent();
    await store.claim(event, ['A.run'], aLease());
    jest.setSystemTime(Date.now() + 1001);

    await handle(store);

    expect(await store.get(event)).toBeDefined();
  });

  it('recognizes an expired event before it deletes it', async () => {
    holdDate();
    const store = new SqliteInboxStore({ database: openSqlite(':memory:'), retentionMs: 1000 });
    const event = anEvent();
    await handle(store, event);
    jest.setSystemTime(Date.now() + 60_001);

    expect(await store.claim(event, ['A.run'], aLease())).toEqual(new Map([['A.run', { state: 'done' }]]));
    expect(await store.get(event)).toBeUndefined();
  });

  it('is applied at most once a minute, to 200 events at a time until none is left', async () => {
    holdDate();
    const store = new SqliteInboxStore({ database: openSqlite(':memory:'), retentionMs: LEASE_MS });
    await Promise.all(someEvents(450).map((event) => handle(store, event)));
    jest.setSystemTime(Date.now() + LEASE_MS + 1);
    await handle(store);
    expect(await store.count()).toBe(451);
    jest.setSystemTime(Date.now() + 50_000);

    const counts: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      await handle(store);
      counts.push(await store.count());
    }

    expect(counts).toEqual([252, 53, 3]);
  });

  it('does not limit prune', async () => {
    const store = new SqliteInboxStore({ database: openSqlite(':memory:') });
    await Promise.all(someEvents(450).map((event) => handle(store, event)));

    expect(await store.prune(new Date(Date.now() + 1))).toBe(450);
    expect(await store.count()).toBe(0);
  });

  it('rejects a cursor that it did not return', async () => {
    const store = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });

    await expect(store.list({}, { cursor: 'elsewhere' })).rejects.toMatchObject({ setting: 'cursor' });
  });

  it('never reuses the number of a deleted event, so that a cursor skips nothing', async () => {
    const store = new SqliteInboxStore({ database: openSqlite(':memory:') });
    for (const event of someEvents(3)) await handle(store, event);
    const { nextCursor = '' } = await store.list({}, { limit: 2 });
    await store.prune(new Date(Date.now() + 1));
    const next = anEvent();
    await handle(store, next);

    const { entries } = await store.list({}, { cursor: nextCursor });

    expect(entries).toMatchObject([{ eventId: next.eventId }]);
  });
});
