import LibsqlDatabase from 'libsql';
import type { SqliteDatabase } from 'nestjs-scalekit-webhooks/sqlite';
import { type FoundLibrary, findLibrary } from './libraries.js';

/** A connection of any driver. */
export type SqliteConnection = SqliteDatabase & {
  close(): unknown;
  /** Of node:sqlite, which refuses to close a connection twice. */
  readonly isOpen?: boolean;
};

type OpenFile = (file: string) => SqliteConnection;

/** The drivers that the SQLite inbox works with. */
export const SQLITE_DRIVERS: Readonly<Record<string, FoundLibrary<OpenFile>>> = {
  libsql: { open: (file) => new LibsqlDatabase(file) },
  'node:sqlite': findNodeSqlite(),
  'better-sqlite3': findLibrary('better-sqlite3', (require) => {
    const Database = require('better-sqlite3') as new (file: string) => SqliteConnection;
    // Loads the binary.
    new Database(':memory:').close();
    return (file) => new Database(file);
  }),
};

interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => SqliteConnection;
}

function findNodeSqlite(): FoundLibrary<OpenFile> {
  const found: unknown = process.getBuiltinModule?.('node:sqlite');
  if (!isNodeSqlite(found)) return { hint: 'node:sqlite needs Node 22.13', isImpossible: true };
  const { DatabaseSync } = found;
  return { open: (file) => new DatabaseSync(file) };
}

function isNodeSqlite(value: unknown): value is NodeSqlite {
  return typeof value === 'object' && value !== null && 'DatabaseSync' in value;
}
