import { jest } from '@jest/globals';
import { type SqliteDatabase, SqliteInboxStore } from '../../lib/sqlite/index.js';
import { holdDate } from '../helpers/clock.js';
import { nodeSqlite, openSqlite, sqliteFile } from '../helpers/sqlite-files.js';
import { describeInboxStore } from './inbox-store.conformance.js';

function harnessOn(database: SqliteDatabase, dispose?: () => Promise<void>) {
  holdDate();
  return {
    store: new SqliteInboxStore({ database }),
    advance: async (ms: number) => {
      jest.setSystemTime(Date.now() + ms);
    },
    async begin() {
      database.exec('BEGIN IMMEDIATE');
      return {
        transaction: database,
        commit: async () => void database.exec('COMMIT'),
        rollback: async () => void database.exec('ROLLBACK'),
      };
    },
    ...(dispose && { dispose }),
  };
}

describeInboxStore('SqliteInboxStore with libsql on a file', async () =>
  harnessOn(openSqlite(await sqliteFile())),
);

describeInboxStore('SqliteInboxStore with libsql in memory', async () => harnessOn(openSqlite(':memory:')));

const sqlite = nodeSqlite();
if (sqlite) {
  describeInboxStore('SqliteInboxStore with node:sqlite on a file', async () => {
    const database = new sqlite.DatabaseSync(await sqliteFile());
    return harnessOn(database, async () => database.close());
  });
}
