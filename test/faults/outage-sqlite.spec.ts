import './helpers/timeout.js';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type Database from 'libsql';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { openSqlite, sqliteFile } from '../helpers/sqlite-files.js';
import { startSqliteWorker } from '../helpers/sqlite-processes.js';
import { expectToSurvive, type Outage, runsDuring } from './helpers/store-outage.js';

describe('If the SQLite file of the inbox', () => {
  let file: string;
  let database: Database.Database;
  let inbox: SqliteInboxStore;

  beforeEach(async () => {
    file = await sqliteFile();
    database = openSqlite(file);
    database.exec('CREATE TABLE effects (event_id TEXT)');
    inbox = new SqliteInboxStore({ database, busyTimeoutMs: 20_000 });
  });

  /** Another process has an open transaction. */
  const isLocked: Outage = async () => {
    const other = startSqliteWorker('completeOne', file, 'evt_other');
    await other.line();
    return () => other.kill();
  };
  const isFull: Outage = async () => {
    const [{ page_count: pages }] = database.prepare('PRAGMA page_count').all() as [{ page_count: number }];
    database.exec(`PRAGMA max_page_count = ${pages}`);
    return () => database.exec('PRAGMA max_page_count = 1000000');
  };

  it('is locked by another process, deliveries are answered with 503 until it is free', () =>
    expectToSurvive(inbox, isLocked));

  it('cannot grow, deliveries are answered with 503 until it can', () => expectToSurvive(inbox, isFull));

  it('is locked while handlers run, they are recorded when it is free', async () => {
    const other = openSqlite(file);
    const isHeld: Outage = async () => {
      other.exec('BEGIN IMMEDIATE');
      return () => other.exec('ROLLBACK');
    };

    expect(await runsDuring(inbox, isHeld)).toEqual([1, 1]);
  });
});
