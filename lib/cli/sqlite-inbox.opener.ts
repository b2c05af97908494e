import { existsSync } from 'node:fs';
import { isSqliteDatabase, type SqliteDatabase } from '../sqlite/sqlite-database.js';
import { SqliteInboxStore } from '../sqlite/sqlite-inbox.store.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { CliFailureError } from './cli-failure.error.js';
import { CliUsageError } from './cli-usage.error.js';
import { importDriver } from './import-driver.js';
import { callMethod, type InboxLocation, type OpenedInbox } from './opened-inbox.js';

// What the application is likely to have comes first; Node's own needs no installation, but may warn that it is new.
const DRIVERS = [
  ['libsql', 'default'],
  ['better-sqlite3', 'default'],
  ['node:sqlite', 'DatabaseSync'],
] as const;
const DEFAULT_PREFIX = 'scalekit_webhooks_';

/** Opens the inbox of `sqlite:path`. It makes neither file nor tables: a mistyped path must leave nothing behind. */
export async function openSqliteInbox({ url, schema, prefix }: InboxLocation): Promise<OpenedInbox> {
  if (schema !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--schema', 'SQLite'));
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  if (!existsSync(path)) throw new CliFailureError(CLI_MESSAGES.sqliteFileMissing(path));
  const Database = await importDriver('SQLite', DRIVERS);
  const database = new Database(path);
  if (!isSqliteDatabase(database)) throw new CliUsageError(CLI_MESSAGES.driverMissing('SQLite', ['libsql']));
  const store = new SqliteInboxStore({ database, ...(prefix !== undefined && { tablePrefix: prefix }) });
  if (!hasLedger(database, prefix ?? DEFAULT_PREFIX)) {
    await callMethod(database, 'close');
    throw new CliFailureError(CLI_MESSAGES.ledgerMissing(path));
  }
  return {
    store,
    async close() {
      await store.close();
      await callMethod(database, 'close');
    },
  };
}

function hasLedger(database: SqliteDatabase, prefix: string): boolean {
  const tables = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  return tables.all(`${prefix}events`).length > 0;
}
