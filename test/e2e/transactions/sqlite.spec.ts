import { describe, expect, it } from '@jest/globals';
import type { ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { type SqliteDatabase, SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { sqliteDrivers, sqliteFile } from '../../helpers/sqlite-files.js';
import { until } from '../../helpers/until.js';
import { expectToEndAtTheDeadline } from './hanging-work.js';
import { startTransactionApp, type Work } from './transaction-app.js';

const NOT_COMMITTED = 'failed TransactionNotCommittedError';
const REFUSED = 'failed ScalekitWebhooksConfigurationError';

const drivers = sqliteDrivers('Transactions on SQLite');

const insert = (database: SqliteDatabase, eventId: string) =>
  database.prepare('INSERT INTO effects VALUES (?)').run(eventId);

/** Whether a transaction of another connection keeps this one from writing. */
function isLocked(database: SqliteDatabase): boolean {
  database.exec('PRAGMA busy_timeout = 0');
  try {
    database.exec('BEGIN IMMEDIATE');
    database.exec('ROLLBACK');
    return false;
  } catch {
    return true;
  }
}

async function start(open: (file: string) => SqliteDatabase, connection: 'own' | 'another') {
  const file = await sqliteFile();
  const own = open(file);
  const database = connection === 'own' ? own : open(file);
  database.exec('CREATE TABLE effects (event_id TEXT)');
  const inbox = new SqliteInboxStore({ database: own, busyTimeoutMs: 1000 });
  const app = (work: Work) => startTransactionApp(inbox, work);
  const effects = () => database.prepare('SELECT 1 FROM effects').all().length;
  return { file, database, inbox, app, effects };
}

describe.each(drivers)('delivery.transaction on SQLite with %s', (_name, open) => {
  const workWell = (eventId: string, delivery: ScalekitDelivery) =>
    delivery.transaction(async (database: SqliteDatabase) => {
      insert(database, eventId);
    });

  it('commits the changes and the record together', async () => {
    const { app, effects } = await start(open, 'own');
    const { deliver, run } = await app(workWell);

    expect([await deliver(), await deliver()]).toEqual([201, 200]);
    expect([await run(), effects()]).toEqual(['done', 1]);
  });

  it.each([
    [
      'throws, and the handler swallows it',
      (database: SqliteDatabase) => {
        database.exec('INSERT INTO nowhere VALUES (1)');
      },
    ],
    [
      'rolls back and returns',
      (database: SqliteDatabase) => {
        database.exec('ROLLBACK');
      },
    ],
  ])('fails the run if the work %s', async (_how, fail) => {
    const { app, effects } = await start(open, 'own');
    const started = await app((eventId, delivery) =>
      delivery
        .transaction(async (database: SqliteDatabase) => {
          insert(database, eventId);
          fail(database);
        })
        .catch(() => {}),
    );

    expect(await started.deliver()).toBe(500);
    expect([await started.run(), effects()]).toEqual([NOT_COMMITTED, 0]);
    started.work = workWell;
    expect([await started.deliver(), await started.deliver()]).toEqual([201, 200]);
    expect(effects()).toBe(1);
  });

  it('is rolled back at the deadline if the work hangs, and refuses the statements that come later', async () => {
    const { inbox, effects } = await start(open, 'own');

    await expectToEndAtTheDeadline(
      inbox,
      async (database: SqliteDatabase, eventId) => insert(database, eventId),
      async () => effects(),
    );
  });

  it('lets another process write after the deadline if the work hangs', async () => {
    const { file, inbox } = await start(open, 'own');
    const other = open(file);
    const app = await startTransactionApp(
      inbox,
      (_eventId, delivery) => delivery.transaction(() => new Promise(() => {})),
      300,
    );

    const delivered = app.deliver();
    await until(
      () => isLocked(other),
      (locked) => locked,
    );
    expect(await delivered).toBe(503);
    await until(
      () => isLocked(other),
      (locked) => !locked,
      1000,
    );
  });

  it('waits for a transaction that the handler does not wait for', async () => {
    const { app, effects } = await start(open, 'own');
    const { deliver, run } = await app(async (eventId, delivery) => {
      void workWell(eventId, delivery);
    });

    expect([await deliver(), await deliver()]).toEqual([201, 200]);
    expect([await run(), effects()]).toEqual(['done', 1]);
  });

  it('fails the run if a transaction that the handler does not wait for fails', async () => {
    const { app } = await start(open, 'own');
    const { deliver, run } = await app(async (_eventId, delivery) => {
      void delivery.transaction(async () => Promise.reject(new Error('unnoticed')));
    });

    expect(await deliver()).toBe(500);
    expect(await run()).toBe(NOT_COMMITTED);
  });

  it('can be tried again after a failure, but not after a success', async () => {
    const { app, effects } = await start(open, 'own');
    const { deliver, run } = await app(async (eventId, delivery) => {
      await delivery.transaction(async () => Promise.reject(new Error('busy'))).catch(() => {});
      await workWell(eventId, delivery);
      await workWell(eventId, delivery).catch((error) => expect(error.setting).toBe('transaction'));
    });

    expect(await deliver()).toBe(201);
    expect([await run(), effects()]).toEqual(['done', 1]);
  });
});

describe.each(drivers)('delivery.complete on SQLite with %s', (_name, open) => {
  describe.each(['own', 'another'] as const)('on %s connection', (connection) => {
    it.each(['ROLLBACK', 'COMMIT'])('counts only what was committed: %s', async (end) => {
      const { database, app, effects } = await start(open, connection);
      const { deliver, run } = await app(async (eventId, delivery) => {
        database.exec('BEGIN IMMEDIATE');
        insert(database, eventId);
        await delivery.complete(database);
        database.exec(end);
      });
      const isCommitted = end === 'COMMIT';

      expect(await deliver()).toBe(isCommitted ? 201 : 500);
      expect([await run(), effects()]).toEqual(isCommitted ? ['done', 1] : [NOT_COMMITTED, 0]);
    });

    it('fails the run if the handler returns before it rolls back', async () => {
      const { database, app, effects } = await start(open, connection);
      const { deliver, run } = await app(async (eventId, delivery) => {
        database.exec('BEGIN IMMEDIATE');
        insert(database, eventId);
        await delivery.complete(database);
        setTimeout(() => database.exec('ROLLBACK'), 100);
      });

      expect(await deliver()).toBe(500);
      expect([await run(), effects()]).toEqual([NOT_COMMITTED, 0]);
    });

    it('refuses a connection without a transaction', async () => {
      const { database, app } = await start(open, connection);
      const { deliver, run } = await app((_eventId, delivery) => delivery.complete(database));

      expect(await deliver()).toBe(500);
      expect(await run()).toBe(REFUSED);
    });
  });
});
