import { selectJson } from './select-json.js';
import type { SqliteTables } from './sqlite.tables.js';
import type { SqliteDatabase } from './sqlite-database.js';

/**
 * Forgets the oldest events that were received before a time, at most so many, and none with a run in progress.
 * To be called in a write transaction. Returns how many they were.
 */
export function forgetEvents(
  database: SqliteDatabase,
  tables: SqliteTables,
  before: number,
  now: number,
  limit: number,
): number {
  const forgotten = selectJson<{ number: number }>(
    database,
    `SELECT json_object('number', number) AS json FROM ${tables.events} AS e
      WHERE received_at < ? AND NOT EXISTS (
        SELECT 1 FROM ${tables.handlers} AS h
        WHERE h.event_number = e.number AND h.state = 'running' AND h.lease_ends_at > ?
      )
      ORDER BY received_at LIMIT ?`,
    before,
    now,
    limit,
  );
  const deletions = [
    database.prepare(`DELETE FROM ${tables.handlers} WHERE event_number = ?`),
    database.prepare(`DELETE FROM ${tables.payloads} WHERE event_number = ?`),
    database.prepare(`DELETE FROM ${tables.events} WHERE number = ?`),
  ];
  for (const { number } of forgotten) {
    for (const deletion of deletions) deletion.run(number);
  }
  return forgotten.length;
}
