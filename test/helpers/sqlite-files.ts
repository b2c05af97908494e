import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, jest } from '@jest/globals';
import Database from 'libsql';

const undo: (() => unknown)[] = [];

/** The path of a database that does not exist yet. It is deleted when the test ends. */
export async function sqliteFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'scalekit-sqlite-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'ledger.db');
}

/** A connection that is closed when the test ends. */
export function openSqlite(file: string, options?: Database.Options): Database.Database {
  const database = new Database(file, options);
  undo.push(() => database.close());
  return database;
}

/** Stops the calendar's time alone: what waits for a lock goes on. */
export function holdDate(): void {
  jest.useFakeTimers({
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'setTimeout',
      'clearTimeout',
    ],
  });
}

/** What a test did, undone in reverse. Runs after each test; to be called where a test goes on. */
export async function tidyUpSqlite(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
  jest.useRealTimers();
}

afterEach(tidyUpSqlite);
