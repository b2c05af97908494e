import { column } from './select-json.js';
import type { SqliteDatabase } from './sqlite-database.js';

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
