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
    ...(dispose && { dispose }),
  };
}

describeInboxStore('SqliteInboxStore on a file, by libsql,', async () =>
  harnessOn(openSqlite(await sqliteFile())),
);

describeInboxStore('SqliteInboxStore in memory, by libsql,', async () => harnessOn(openSqlite(':memory:')));

const sqlite = nodeSqlite();
if (sqlite) {
  describeInboxStore('SqliteInboxStore on a file, by node:sqlite,', async () => {
    const database = new sqlite.DatabaseSync(await sqliteFile());
    return harnessOn(database, async () => database.close());
  });
}
