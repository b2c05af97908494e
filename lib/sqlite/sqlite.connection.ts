import { setTimeout as delay } from 'node:timers/promises';
import { column } from './select-json.js';
import type { SqliteDatabase } from './sqlite-database.js';
import { isOccupiedError } from './sqlite-error.js';

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
