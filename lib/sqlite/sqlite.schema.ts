import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { inTransaction, MESSAGES, makeDurable, type SqliteDatabase, selectJson } from './sqlite-database.js';

/**
 * Creates the tables, or updates them, and makes commits durable.
 * @throws ScalekitWebhooksConfigurationError when a newer version of this package created the tables
 */
export function prepare(database: SqliteDatabase, tables: SqliteTables): void {
  // In a write transaction, so that only one process does it.
  inTransaction(database, () => migrate(database, tables));
  makeDurable(database);
}

function migrate(database: SqliteDatabase, tables: SqliteTables): void {
  database.exec(`CREATE TABLE IF NOT EXISTS ${tables.meta} (version INTEGER NOT NULL)`);
  const version = readVersion(database, tables) ?? 0;
  if (version > MIGRATIONS.length) {
    throw new ScalekitWebhooksConfigurationError('database', MESSAGES.tablesAreNewer(tables.meta));
  }
  if (version === MIGRATIONS.length) {
    // With libsql, a transaction begins even if the file cannot be written.
    database.exec(`UPDATE ${tables.meta} SET version = version`);
    return;
  }
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration(tables));
  database.exec(`DELETE FROM ${tables.meta}`);
  database.prepare(`INSERT INTO ${tables.meta} (version) VALUES (?)`).run(MIGRATIONS.length);
}

/** @throws the driver's error when a table does not exist, or does not have the column that was added last */
export function requireTables(
  database: SqliteDatabase,
  { events, payloads, handlers, pauses, entities, keys, recoveries }: SqliteTables,
): void {
  database
    .prepare(
      `SELECT ${events}.erased_at, delivery, order_at, paused_at, admitted_at, ${keys}.due_at, checkpoint
        FROM ${events}, ${payloads}, ${handlers}, ${pauses}, ${entities}, ${keys}, ${recoveries} LIMIT 0`,
    )
    .all();
}

/** The version of the tables, or undefined if there are none yet. */
function readVersion(database: SqliteDatabase, tables: SqliteTables): number | undefined {
  const [row] = selectJson<{ version: number }>(
    database,
    `SELECT json_object('version', version) AS json FROM ${tables.meta}`,
  );
  return row?.version;
}

/** Each migration takes the tables to the next version. Never change one that was published. */
const MIGRATIONS: readonly ((tables: SqliteTables) => string)[] = [
  // AUTOINCREMENT never reuses the number of a deleted event. Otherwise a cursor could skip a new one.
  // Payloads have their own table, so that queries about events and runs do not have to read them.
  ({ events, payloads, handlers }) => `
    CREATE TABLE ${events} (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      endpoint TEXT NOT NULL,
      event_id TEXT NOT NULL,
      type TEXT NOT NULL,
      occurred_at TEXT NOT NULL,
      received_at INTEGER NOT NULL,
      UNIQUE (endpoint, event_id)
    );
    CREATE INDEX ${events}_by_age ON ${events} (received_at);
    CREATE TABLE ${payloads} (
      event_number INTEGER PRIMARY KEY,
      payload BLOB NOT NULL
    );
    CREATE TABLE ${handlers} (
      event_number INTEGER NOT NULL,
      handler_id TEXT NOT NULL,
      state TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      lease_token TEXT,
      lease_ends_at INTEGER,
      error_name TEXT,
      error_message TEXT,
      PRIMARY KEY (event_number, handler_id)
    ) WITHOUT ROWID;
    CREATE INDEX ${handlers}_by_state ON ${handlers} (state, event_number);
  `,
  // The endpoint is repeated in the runs, so that one index finds the due runs of an endpoint.
  ({ payloads, handlers, pauses }) => `
    ALTER TABLE ${payloads} ADD COLUMN delivery TEXT;
    ALTER TABLE ${handlers} ADD COLUMN endpoint TEXT;
    ALTER TABLE ${handlers} ADD COLUMN due_at INTEGER;
    ALTER TABLE ${handlers} ADD COLUMN worker_attempts INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX ${handlers}_by_due ON ${handlers} (endpoint, handler_id, due_at) WHERE due_at IS NOT NULL;
    CREATE TABLE ${pauses} (endpoint TEXT PRIMARY KEY, paused_at INTEGER NOT NULL);
  `,
  // Runs with a place are found by their keys, however many of them wait.
  ({ handlers, entities, keys }) => `
    ALTER TABLE ${handlers} ADD COLUMN note TEXT;
    ALTER TABLE ${handlers} ADD COLUMN order_key TEXT;
    ALTER TABLE ${handlers} ADD COLUMN order_at INTEGER;
    DROP INDEX ${handlers}_by_due;
    CREATE INDEX ${handlers}_by_due ON ${handlers} (endpoint, handler_id, due_at)
      WHERE due_at IS NOT NULL AND order_key IS NULL;
    CREATE INDEX ${handlers}_by_place ON ${handlers} (endpoint, handler_id, order_key, order_at, event_number)
      WHERE due_at IS NOT NULL AND order_key IS NOT NULL;
    CREATE TABLE ${keys} (
      endpoint TEXT NOT NULL,
      handler_id TEXT NOT NULL,
      order_key TEXT NOT NULL,
      due_at INTEGER NOT NULL,
      event_id TEXT,
      lease_token TEXT,
      PRIMARY KEY (endpoint, handler_id, order_key)
    ) WITHOUT ROWID;
    CREATE INDEX ${keys}_by_due ON ${keys} (endpoint, handler_id, due_at);
    CREATE TABLE ${entities} (
      name TEXT PRIMARY KEY,
      endpoint TEXT NOT NULL,
      handler_id TEXT NOT NULL,
      event_id TEXT NOT NULL,
      lease_token TEXT NOT NULL,
      occurred_at INTEGER NOT NULL,
      done_at INTEGER,
      admitted_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX ${entities}_by_age ON ${entities} (admitted_at);
    `,
  ({ recoveries }) => `
    CREATE TABLE ${recoveries} (
      endpoint TEXT PRIMARY KEY,
      checkpoint INTEGER,
      lease_token TEXT NOT NULL,
      lease_ends_at INTEGER NOT NULL
    );
  `,
  // Each filter has an index that returns entries in the order of receipt: the number of the event is part of each.
  ({ events, handlers }) => `
    ALTER TABLE ${events} ADD COLUMN organization_id TEXT;
    ALTER TABLE ${events} ADD COLUMN entity TEXT;
    CREATE INDEX ${events}_by_type ON ${events} (type);
    CREATE INDEX ${events}_by_organization ON ${events} (organization_id) WHERE organization_id IS NOT NULL;
    CREATE INDEX ${events}_by_entity ON ${events} (entity) WHERE entity IS NOT NULL;
    CREATE INDEX ${handlers}_by_handler ON ${handlers} (handler_id, event_number);
    CREATE INDEX ${handlers}_with_error ON ${handlers} (event_number, error_name, error_message)
      WHERE error_name IS NOT NULL;
  `,
  ({ events }) => `ALTER TABLE ${events} ADD COLUMN erased_at INTEGER;`,
];

/** The names of the tables. */
export interface SqliteTables {
  /** Has one row: the version of the other tables. */
  readonly meta: string;
  readonly events: string;
  readonly payloads: string;
  /** Has one row for each run. */
  readonly handlers: string;
  /** The endpoints whose workers are paused. */
  readonly pauses: string;
  /** Which run of a handler has an entity. */
  readonly entities: string;
  /** The order keys that have runs. Each is due when its first run may be, and has the run that was taken last. */
  readonly keys: string;
  /** How far the recovery of each endpoint has come, and which process is doing it. */
  readonly recoveries: string;
}

export function sqliteTables(prefix: string): SqliteTables {
  return {
    meta: `${prefix}meta`,
    events: `${prefix}events`,
    payloads: `${prefix}payloads`,
    handlers: `${prefix}handlers`,
    pauses: `${prefix}pauses`,
    entities: `${prefix}entities`,
    keys: `${prefix}keys`,
    recoveries: `${prefix}recoveries`,
  };
}
