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
