import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { SqliteDatabase } from '../../lib/sqlite/index.js';
import { cleanUpAfterTest } from './cleanup.js';
import { installedOf } from './services.js';
import { SQLITE_DRIVERS } from './sqlite-drivers.js';

/** The path of a database that does not exist yet. It is deleted when the test ends. */
export async function sqliteFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'scalekit-sqlite-'));
  cleanUpAfterTest(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'inbox.db');
}

/** Opens a connection, which is closed when the test ends. */
export function openSqlite(file: string, options?: Database.Options): Database.Database {
  const database = new Database(file, options);
  cleanUpAfterTest(() => database.close());
  return database;
}

/**
 * The drivers that are installed, for `describe.each`. Each opens a connection that is closed when the test ends.
 *
 * @param suite what is tested with each driver
 */
export function sqliteDrivers(suite: string): [string, (file: string) => SqliteDatabase][] {
  return installedOf(suite, SQLITE_DRIVERS).map(([name, open]) => [
    name,
    (file) => {
      const database = open(file);
      cleanUpAfterTest(() => {
        if (database.isOpen ?? true) database.close();
      });
      return database;
    },
  ]);
}
