import { describe, expect, it, jest } from '@jest/globals';
import { SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent, LEASE_MS } from '../../conformance/inbox-store.harness.js';
import { holdDate } from '../../helpers/clock.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { startSqliteWorker } from '../../helpers/sqlite-processes.js';

const PROCESSES = 4;
const EVENTS = 100;

describe('Several processes with a SqliteInboxStore on one file', () => {
  it('create the tables once, and claim each handler once', async () => {
    const file = await sqliteFile();
    const workers = Array.from({ length: PROCESSES }, (_, number) =>
      startSqliteWorker('claimAll', file, `${EVENTS} ${(number * EVENTS) / PROCESSES}`),
    );
    for (const _ of ['create the tables', 'claim the other events']) {
      await Promise.all(workers.map((worker) => worker.line()));
      for (const worker of workers) worker.proceed();
    }

    const claimed = await Promise.all(workers.map(async (worker) => JSON.parse(await worker.line())));

    const all = claimed.flat();
    expect(claimed.every(({ length }) => length > 0)).toBe(true);
    expect(all).toHaveLength(EVENTS * 2);
    expect(new Set(all).size).toBe(EVENTS * 2);
    const store = new SqliteInboxStore({ database: openSqlite(file) });
    expect(await store.count()).toBe(EVENTS);
    expect(await store.count({ state: 'done' })).toBe(EVENTS);
    expect(await store.count({ state: 'running' })).toBe(0);
  }, 30_000);
});

describe('A process that is killed', () => {
  it('between claim and settle leaves its runs to the first claim after the lease', async () => {
    const file = await sqliteFile();
    const worker = startSqliteWorker('claimOne', file, 'evt_1');
    await worker.line();
    await worker.kill();
    holdDate();
    const store = new SqliteInboxStore({ database: openSqlite(file) });

    const claims = await store.claim(anEvent({ eventId: 'evt_1' }), ['A.run'], aLease());
    expect(claims.get('A.run')?.state).toBe('running');
    jest.setSystemTime(Date.now() + LEASE_MS + 1);

    const later = await store.claim(anEvent({ eventId: 'evt_1' }), ['A.run', 'B.run'], aLease());
    expect(Object.fromEntries(later)).toEqual({
      'A.run': { state: 'claimed', attempt: 2 },
      'B.run': { state: 'claimed', attempt: 2 },
    });
  });

  it('before the commit of its transaction leaves neither its effect nor its record', async () => {
    const file = await sqliteFile();
    const database = openSqlite(file);
    database.exec('CREATE TABLE effects (event_id TEXT)');
    const worker = startSqliteWorker('completeOne', file, 'evt_1');
    await worker.line();
    await worker.kill();
    const store = new SqliteInboxStore({ database });

    expect(database.prepare('SELECT * FROM effects').all()).toEqual([]);
    expect(await store.count({ state: 'done' })).toBe(0);
    const claims = await store.claim(anEvent({ eventId: 'evt_1' }), ['A.run'], aLease());
    expect(claims.get('A.run')?.state).toBe('running');
  });
});
