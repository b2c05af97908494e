import { describe, expect, it, jest } from '@jest/globals';
import { SqliteInboxStore } from '../../../lib/sqlite/index.js';
import { aLease, anEvent, LEASE_MS } from '../../helpers/sqlite-events.js';
import { holdDate, openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { startSqliteWorker } from '../../helpers/sqlite-processes.js';

const PROCESSES = 4;
const EVENTS = 100;

describe('several processes on one file', () => {
  it('make the tables once and are given each handler once, together', async () => {
    const file = await sqliteFile();
    const workers = Array.from({ length: PROCESSES }, (_, number) =>
      startSqliteWorker('claimAll', file, `${EVENTS} ${(number * EVENTS) / PROCESSES}`),
    );
    for (const _ of ['to make the tables', 'to claim what is left']) {
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

describe('a process that is killed', () => {
  it('between claim and settle leaves its runs to the one that comes after the lease', async () => {
    const file = await sqliteFile();
    const worker = startSqliteWorker('claimOne', file, 'evt_1');
    await worker.line();
    await worker.kill();
    holdDate();
    const store = new SqliteInboxStore({ database: openSqlite(file) });

    const claims = await store.claim(anEvent('evt_1'), ['A.run'], aLease());
    expect(claims.get('A.run')?.state).toBe('running');
    jest.setSystemTime(Date.now() + LEASE_MS + 1);

    const later = await store.claim(anEvent('evt_1'), ['A.run', 'B.run'], aLease());
    expect(Object.fromEntries(later)).toEqual({
      'A.run': { state: 'claimed', attempt: 2 },
      'B.run': { state: 'claimed', attempt: 2 },
    });
  });

  it('before the commit of its transaction leaves neither the effect nor its record', async () => {
    const file = await sqliteFile();
    const database = openSqlite(file);
    database.exec('CREATE TABLE effects (event_id TEXT)');
    const worker = startSqliteWorker('completeOne', file, 'evt_1');
    await worker.line();
    await worker.kill();
    const store = new SqliteInboxStore({ database });

    expect(database.prepare('SELECT * FROM effects').all()).toEqual([]);
    expect(await store.count({ state: 'done' })).toBe(0);
    const claims = await store.claim(anEvent('evt_1'), ['A.run'], aLease());
    expect(claims.get('A.run')?.state).toBe('running');
  });
});
