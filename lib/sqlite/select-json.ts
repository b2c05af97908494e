import type { SqliteDatabase, SqliteValue } from './sqlite-database.js';

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
