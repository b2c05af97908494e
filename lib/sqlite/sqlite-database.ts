import { setTimeout as delay } from 'node:timers/promises';
import { InboxUnusableError, ScalekitWebhooksError } from '../errors/errors.js';
import { describeValue } from '../errors/settings.js';

/**
 * An open connection to a SQLite database: a `DatabaseSync` of `node:sqlite`, or a `Database` of `better-sqlite3` or
 * `libsql`. The types of the parameters differ, and the store binds only values that all of them accept.
 */
export interface SqliteClient {
  exec(sql: string): unknown;
  prepare(sql: string): {
    run(...parameters: never[]): unknown;
    all(...parameters: never[]): unknown[];
  };
}

/** The connection of any of these drivers, as the store uses it. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** A prepared statement. */
export interface SqliteStatement {
  /** Runs a statement that returns no rows. */
  run(...parameters: SqliteValue[]): unknown;
  /** Runs a statement that returns rows, and returns all of them as objects. */
  all(...parameters: SqliteValue[]): unknown[];
}

/** A value that the store binds to a parameter. */
export type SqliteValue = string | number | null | Uint8Array;

export function isSqliteDatabase(value: unknown): value is SqliteDatabase {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'exec' in value &&
    typeof value.exec === 'function' &&
    'prepare' in value &&
    typeof value.prepare === 'function'
  );
}

/**
 * The connection, with statements that are prepared once: SQLite takes longer to prepare one of the store's than to run it.
 * Only for the store's own statements, of which there are few.
 */
export function preparingOnce(database: SqliteDatabase): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  return {
    exec: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = prepared.get(sql) ?? database.prepare(sql);
      prepared.set(sql, statement);
      const use = <T>(run: () => T): T => {
        try {
          return run();
        } catch (error) {
          // Not every driver resets a statement that has failed.
          prepared.delete(sql);
          throw error;
        }
      };
      return {
        run: (...parameters) => use(() => statement.run(...parameters)),
        all: (...parameters) => use(() => statement.all(...parameters)),
      };
    },
  };
}

const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 8;

/** The longest pause between two attempts of {@link retryWhileBusy}. */
export const LONGEST_PAUSE_MS = LONGEST_WAIT_MS * 1.5;

/**
 * Does the work when no other transaction is open, on this or another connection. Each attempt starts over.
 *
 * SQLite's own way to wait for a lock blocks the event loop. If a handler in this process held the lock, it could never
 * release it.
 *
 * @param giveUpAt in ms, by the clock of `performance.now()`
 */
export async function retryWhileBusy<T>(
  database: SqliteDatabase,
  giveUpAt: number,
  work: (database: SqliteDatabase) => T,
): Promise<T> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return withoutBlocking(database, work);
    } catch (error) {
      if (!isBusyError(error) || performance.now() >= giveUpAt) throw error;
    }
    // The random part keeps processes that wait for the same lock from trying again at the same time.
    await delay(wait * (0.5 + Math.random()));
  }
}

/** Restores the connection's own timeout afterwards: your statements may depend on it. */
function withoutBlocking<T>(database: SqliteDatabase, work: (database: SqliteDatabase) => T): T {
  const [row] = database.prepare('PRAGMA busy_timeout').all();
  database.exec('PRAGMA busy_timeout = 0');
  try {
    return work(database);
  } finally {
    database.exec(`PRAGMA busy_timeout = ${Number(column(row, 'timeout'))}`);
  }
}

/**
 * Explains an error of the driver.
 *
 * @throws InboxUnusableError always
 */
export function refuseUnusable(error: unknown): never {
  const message = String(column(error, 'message'));
  // Errors of ours say what to do.
  if (error instanceof ScalekitWebhooksError) throw new InboxUnusableError([message]);
  throw new InboxUnusableError([MESSAGES.unusable(message, adviceFor(error, message))]);
}

/** Whether another transaction is open, on another connection or on this one. */
export function isBusyError(error: unknown): boolean {
  return isLockError(error) || isNestedTransactionError(error);
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
// The bits above the lowest 8 give more detail.
const PRIMARY_CODE = 0xff;

function isLockError(error: unknown): boolean {
  const code = column(error, 'code');
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true;
  const errcode = column(error, 'errcode');
  return typeof errcode === 'number' && [SQLITE_BUSY, SQLITE_LOCKED].includes(errcode & PRIMARY_CODE);
}

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  notSqliteDatabase: (setting: string) =>
    `${setting} must be an open connection of node:sqlite, better-sqlite3 or libsql.`,
  noOpenTransaction:
    'No transaction is open on this connection. Begin one, do your work in it, call complete(), and commit.',
  transactionTooLong:
    'The inbox waited too long for a handler to end its transaction. Do not wait for anything slow inside delivery.transaction().',
  tablePrefixInvalid: (found: unknown) =>
    `tablePrefix must be 1 to 40 letters, digits or "_", and must not start with a digit or with "sqlite_"; found ${describeValue(found)}.`,
  retentionFailed: (table: string) =>
    `Events older than retentionMs could not be deleted from the table ${table}, so the file keeps growing. Check for triggers on the inbox's tables, and for foreign keys that reference them. The store tries again in an hour.`,
  unusable: (reason: string, advice: string | undefined) =>
    `The database cannot be used: ${reason}${advice ? `. ${advice}` : ''}`,
  endTransaction:
    'Another transaction has been open for longer than busyTimeoutMs. Find the program that holds it, and end it.',
  makeWritable:
    'Open the connection for writing. The process needs the right to write the file, the files beside it and their directory.',
  makeRoom: 'The disk is full, or a quota is used up. Free some space.',
  replaceFile:
    'The file is damaged, or is not a SQLite database. Correct its path, or restore it from a backup.',
  restoreTables:
    'Something else has changed the tables of the inbox. Restore them from a backup, or set another tablePrefix to begin with new ones.',
  keepOpen: 'Give the store an open connection, and close it only after the application.',
  tablesAreNewer: (table: string) =>
    `A newer version of nestjs-scalekit-webhooks created the inbox's tables (see the table ${table}). Update the package in this application.`,
} as const;

/** What to do about an error, by its number and name. */
const ADVICE: readonly (readonly [number: number, name: string, advice: string])[] = [
  [SQLITE_BUSY, 'SQLITE_BUSY', MESSAGES.endTransaction],
  [SQLITE_LOCKED, 'SQLITE_LOCKED', MESSAGES.endTransaction],
  [8, 'SQLITE_READONLY', MESSAGES.makeWritable],
  [11, 'SQLITE_CORRUPT', MESSAGES.replaceFile],
  [13, 'SQLITE_FULL', MESSAGES.makeRoom],
  [14, 'SQLITE_CANTOPEN', MESSAGES.makeWritable],
  [26, 'SQLITE_NOTADB', MESSAGES.replaceFile],
];

function adviceFor(error: unknown, message: string): string | undefined {
  if (/^no such (table|column)/.test(message)) return MESSAGES.restoreTables;
  if (/is not open|is closed|finalized/.test(message)) return MESSAGES.keepOpen;
  // node:sqlite has a number in `errcode`, libsql one in `rawCode`, and better-sqlite3 only a name.
  const number = Number(column(error, 'errcode') ?? column(error, 'rawCode'));
  const name = String(column(error, 'code'));
  const [, , advice] =
    ADVICE.find((row) => row[0] === (number & PRIMARY_CODE) || name.startsWith(row[1])) ?? [];
  return advice;
}

/** Whether BEGIN failed because this connection already has an open transaction. */
export function isNestedTransactionError(error: unknown): boolean {
  // `instanceof Error` misses the errors of another realm, such as those of node:sqlite in a test runner.
  return String(column(error, 'message')).includes('cannot start a transaction within a transaction');
}

/** Does the work in a transaction, by default one that writes, without waiting. */
export function inTransaction<T>(
  database: SqliteDatabase,
  work: (database: SqliteDatabase) => T,
  begin: 'BEGIN' | 'BEGIN IMMEDIATE' = 'BEGIN IMMEDIATE',
): T {
  database.exec(begin);
  try {
    const result = work(database);
    database.exec('COMMIT');
    return result;
  } catch (error) {
    tryExec(database, 'ROLLBACK');
    throw error;
  }
}

/** Used for rollbacks: after some errors, such as a full disk, SQLite has already ended the transaction. */
export function tryExec(database: SqliteDatabase, sql: string): boolean {
  try {
    database.exec(sql);
    return true;
  } catch {
    return false;
  }
}

const FULL = 2;

/**
 * Makes commits survive a power failure, and lets reads and writes run concurrently. WAL mode is a property of the
 * file. `synchronous` is one of the connection, and a lower level than FULL could undo a commit.
 */
export function makeDurable(database: SqliteDatabase): void {
  database.prepare('PRAGMA journal_mode = WAL').all();
  const [row] = database.prepare('PRAGMA synchronous').all();
  if (Number(column(row, 'synchronous')) < FULL) database.exec('PRAGMA synchronous = FULL');
}

/**
 * Runs a SELECT whose only column, `json`, is a `json_object` of the shape `T`. JSON keeps text intact: libsql, and
 * `node:sqlite` of Node 22, cut plain text off at the first NUL.
 */
export function selectJson<T>(database: SqliteDatabase, sql: string, ...parameters: SqliteValue[]): T[] {
  // Use `all`, not `get`: with libsql, a statement keeps its read lock after `get`.
  const rows = database.prepare(sql).all(...parameters);
  return rows.map((row) => JSON.parse(String(column(row, 'json'))));
}

/** Reads a property of a row, or of an error, that a driver returned. */
export function column(row: unknown, name: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, name) : undefined;
}
