import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { SqliteDatabase } from '../../lib/sqlite/index.js';
import { cleanUpAfterTest } from './cleanup.js';

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

interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => SqliteDatabase & { close(): void };
}

/** `node:sqlite`, or undefined on a Node that does not have it (before 22.13). */
export function nodeSqlite(): NodeSqlite | undefined {
  const found: unknown = process.getBuiltinModule?.('node:sqlite');
  return isNodeSqlite(found) ? found : undefined;
}

function isNodeSqlite(value: unknown): value is NodeSqlite {
  return typeof value === 'object' && value !== null && 'DatabaseSync' in value;
}
