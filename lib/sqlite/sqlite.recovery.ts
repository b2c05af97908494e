import { toStorableText } from '../errors/safe-text.js';
import type { InboxLease } from '../inbox/inbox-store.js';
import type { RecoveryStart } from '../inbox/inbox-work.js';
import type { SqliteTables } from './sqlite.schema.js';
import { type SqliteDatabase, selectJson } from './sqlite-database.js';

interface StoredRecovery {
  readonly checkpoint: number | null;
  readonly leaseToken: string;
  readonly leaseEndsAt: number;
}

/** Gives a process the right to recover, unless another one has it. Call it in a write transaction. */
export function beginRecovery(
  database: SqliteDatabase,
  tables: SqliteTables,
  endpoint: string,
  { token, durationMs }: InboxLease,
): RecoveryStart | undefined {
  const now = Date.now();
  const found = selectRecovery(database, tables, endpoint);
  if (found && found.leaseToken !== toStorableText(token) && found.leaseEndsAt > now) return undefined;
  const checkpoint = found?.checkpoint ?? null;
  writeRecovery(database, tables, endpoint, token, { checkpoint, leaseEndsAt: now + durationMs });
  return checkpoint === null ? {} : { checkpoint: new Date(checkpoint) };
}

/** Ends a recovery. Returns whether the lease was still held. Call it in a write transaction. */
export function endRecovery(
  database: SqliteDatabase,
  tables: SqliteTables,
  endpoint: string,
  { token }: InboxLease,
  moved?: Date,
): boolean {
  const found = selectRecovery(database, tables, endpoint);
  if (found?.leaseToken !== toStorableText(token)) return false;
  const times = [found.checkpoint, moved?.getTime() ?? null].filter((time) => time !== null);
  const checkpoint = times.length === 0 ? null : Math.max(...times);
  // The token stays, so that the end can be repeated.
  writeRecovery(database, tables, endpoint, token, { checkpoint, leaseEndsAt: Date.now() });
  return true;
}

function selectRecovery(
  database: SqliteDatabase,
  { recoveries }: SqliteTables,
  endpoint: string,
): StoredRecovery | undefined {
  return selectJson<StoredRecovery>(
    database,
    `SELECT json_object('checkpoint', checkpoint, 'leaseToken', lease_token, 'leaseEndsAt', lease_ends_at) AS json
      FROM ${recoveries} WHERE endpoint = ?`,
    toStorableText(endpoint),
  )[0];
}

function writeRecovery(
  database: SqliteDatabase,
  { recoveries }: SqliteTables,
  endpoint: string,
  token: string,
  { checkpoint, leaseEndsAt }: Omit<StoredRecovery, 'leaseToken'>,
): void {
  database
    .prepare(
      `INSERT OR REPLACE INTO ${recoveries} (endpoint, checkpoint, lease_token, lease_ends_at) VALUES (?, ?, ?, ?)`,
    )
    .run(toStorableText(endpoint), checkpoint, toStorableText(token), leaseEndsAt);
}
