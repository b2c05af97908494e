import { jest } from '@jest/globals';
import { type SqliteDatabase, SqliteInboxStore } from '../../lib/sqlite/index.js';
import { holdDate } from '../helpers/clock.js';
import { openSqlite, sqliteDrivers, sqliteFile } from '../helpers/sqlite-files.js';
import { describeInboxStore } from './inbox-store.conformance.js';

function harnessOn(database: SqliteDatabase, dropsPayloads = false) {
  holdDate();
  const dropping = dropsPayloads && ({ payloads: 'drop-when-done' } as const);
  return {
    store: new SqliteInboxStore({ database, ...dropping }),
    openWith: (options: object) => new SqliteInboxStore({ database, ...dropping, ...options }),
    dropsPayloads,
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
  };
}

for (const [driver, open] of sqliteDrivers('SqliteInboxStore')) {
  describeInboxStore(`SqliteInboxStore with ${driver} on a file`, async () =>
    harnessOn(open(await sqliteFile())),
  );
}

describeInboxStore('SqliteInboxStore with libsql in memory', async () => harnessOn(openSqlite(':memory:')));

describeInboxStore('SqliteInboxStore that drops payloads', async () =>
  harnessOn(openSqlite(await sqliteFile()), true),
);
