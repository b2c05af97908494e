import type { SqliteDatabase } from '../../lib/sqlite/index.js';

interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => SqliteDatabase & { close(): void };
}

/** `node:sqlite`, or undefined on a Node that has none yet (before 22.13). */
export function nodeSqlite(): NodeSqlite | undefined {
  const found: unknown = process.getBuiltinModule?.('node:sqlite');
  return isNodeSqlite(found) ? found : undefined;
}

function isNodeSqlite(value: unknown): value is NodeSqlite {
  return typeof value === 'object' && value !== null && 'DatabaseSync' in value;
}
