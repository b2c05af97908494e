import { beforeEach, describe, expect, it } from '@jest/globals';
import type Database from 'libsql';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { openSqlite, sqliteFile } from '../helpers/sqlite-files.js';
import { startSqliteWorker } from '../helpers/sqlite-processes.js';
import { type Ailment, expectToOutlast, runsAcross } from './helpers/store-outage.js';

describe('A SQLite ledger', () => {
  let file: string;
  let database: Database.Database;
  let inbox: SqliteInboxStore;

  beforeEach(async () => {
    file = await sqliteFile();
    database = openSqlite(file);
    database.exec('CREATE TABLE effects (event_id TEXT)');
    inbox = new SqliteInboxStore({ database, busyTimeoutMs: 20_000 });
  });

  /** Another process has begun a transaction, and does not end it. */
  const isLocked: Ailment = async () => {
    const other = startSqliteWorker('completeOne', file, 'evt_other');
    await other.line();
    return () => other.kill();
  };
  const isFull: Ailment = async () => {
    const [{ page_count: pages }] = database.prepare('PRAGMA page_count').all() as [{ page_count: number }];
    database.exec(`PRAGMA max_page_count = ${pages}`);
    return () => database.exec('PRAGMA max_page_count = 1000000');
  };

  it('that another process has locked has deliveries refused until it is free', () =>
    expectToOutlast(inbox, isLocked));

  it('whose disk is full has deliveries refused until there is room', () => expectToOutlast(inbox, isFull));

  it('that is locked while handlers run takes their record when it is free', async () => {
    const other = openSqlite(file);
    const isHeld: Ailment = async () => {
      other.exec('BEGIN IMMEDIATE');
      return () => other.exec('ROLLBACK');
    };

    expect(await runsAcross(inbox, isHeld)).toEqual([1, 1]);
  });
});
