import { setTimeout as delay } from 'node:timers/promises';

/** What a statement of the ledger binds. */
export type SqliteValue = string | number | null | Uint8Array;

/** A prepared statement, as far as the ledger uses it. */
export interface SqliteStatement {
  /** Runs a statement that returns no rows. */
  run(...parameters: SqliteValue[]): unknown;
  /** Every row of a statement that returns some, as objects. */
  all(...parameters: SqliteValue[]): unknown[];
}

/**
 * An open connection to a SQLite database: a `DatabaseSync` of `node:sqlite`, a `Database` of `better-sqlite3` or of
 * `libsql` fits as it is.
 */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** Whether something given from outside is such a connection. */
export function isSqliteDatabase(value: unknown): value is SqliteDatabase {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'exec' in value &&
    typeof value.exec === 'function' &&
    'prepare' in value &&
    typeof value.prepare === 'function'
  );
}

// SQLITE_BUSY and SQLITE_LOCKED; the bits above the lowest 8 tell the reason.
const BUSY = 5;
const LOCKED = 6;
const PRIMARY_CODE = 0xff;

/** Whether another transaction is in the way, for now: another connection's, or one that is open on this one. */
export function isOccupiedError(error: unknown): boolean {
  return isBusyError(error) || isNestedTransactionError(error);
}

function isBusyError(error: unknown): boolean {
  const code = column(error, 'code');
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true;
  const errcode = column(error, 'errcode');
  return typeof errcode === 'number' && [BUSY, LOCKED].includes(errcode & PRIMARY_CODE);
}

/** Whether BEGIN failed because a transaction is open on this very connection. */
export function isNestedTransactionError(error: unknown): boolean {
  return error instanceof Error && error.message.includes('cannot start a transaction within a transaction');
}

const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 8;

/** No attempt comes later after the one before it. */
export const LONGEST_PAUSE_MS = LONGEST_WAIT_MS * 1.5;

/**
 * Does work as soon as no other transaction is in the way, on this connection or on others; from its start each time.
 * SQLite's own way to wait for a lock stops the event loop, and with it the handler in this process that holds the
 * lock: so the work is tried, and tried again later.
 *
 * @param giveUpAt by the clock of `performance.now()`, in ms
 */
export async function attemptUntil<T>(
  giveUpAt: number,
  database: SqliteDatabase,
  work: (database: SqliteDatabase) => T,
): Promise<T> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return withoutBlocking(database, work);
    } catch (error) {
      if (!isOccupiedError(error) || performance.now() >= giveUpAt) throw error;
    }
    // Processes that wait for the same lock should not come back at the same time.
    await delay(wait * (0.5 + Math.random()));
  }
}

/** Does work in one write transaction, at once. */
export function inTransaction<T>(database: SqliteDatabase, work: (database: SqliteDatabase) => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work(database);
    database.exec('COMMIT');
    return result;
  } catch (error) {
    tryExec(database, 'ROLLBACK');
    throw error;
  }
}

/** Runs what may be too late: after some errors, a full disk for one, SQLite has ended the transaction itself. */
export function tryExec(database: SqliteDatabase, sql: string): boolean {
  try {
    database.exec(sql);
    return true;
  } catch {
    return false;
  }
}

/** The connection's own time-out is put back: statements of the application may depend on it. */
function withoutBlocking<T>(database: SqliteDatabase, work: (database: SqliteDatabase) => T): T {
  const [row] = database.prepare('PRAGMA busy_timeout').all();
  database.exec('PRAGMA busy_timeout = 0');
  try {
    return work(database);
  } finally {
    database.exec(`PRAGMA busy_timeout = ${Number(column(row, 'timeout'))}`);
  }
}

const FULL = 2;

/**
 * Makes commits last and readers free of writers. WAL stays with the file. `synchronous` is the connection's: with less
 * than FULL a power failure could undo what Scalekit was told is done.
 */
export function makeDurable(database: SqliteDatabase): void {
  database.prepare('PRAGMA journal_mode = WAL').all();
  const [row] = database.prepare('PRAGMA synchronous').all();
  if (Number(column(row, 'synchronous')) < FULL) database.exec('PRAGMA synchronous = FULL');
}

/**
 * The rows of a SELECT whose one column `json` is a `json_object` of the shape `T`. As JSON, text survives every
 * driver: read as text, libsql and the `node:sqlite` of Node 22 cut it at the first NUL.
 */
export function selectJson<T>(database: SqliteDatabase, sql: string, ...parameters: SqliteValue[]): T[] {
  // `all` and never `get`: after libsql's `get` the statement goes on holding its read lock.
  const rows = database.prepare(sql).all(...parameters);
  return rows.map((row) => JSON.parse(String(column(row, 'json'))));
}

/** One column of a row that a driver gave. */
export function column(row: unknown, name: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, name) : undefined;
}
