import { LeaseLostError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { InboxEvent, InboxKey, InboxLease, RunState } from '../inbox/inbox-store.js';
import type { RunRecord } from '../inbox/run-states.js';
import { MESSAGES } from './sqlite.messages.js';
import type { SqliteTables } from './sqlite.schema.js';
import {
  isNestedTransactionError,
  isSqliteDatabase,
  type SqliteDatabase,
  selectJson,
} from './sqlite-database.js';

/** A handler's row as it is stored. */
interface StoredRow {
  readonly handlerId: string;
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly leaseToken: string | null;
  readonly leaseEndsAt: number | null;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
}

/** What the ledger keeps, as the transactions of claim, settle and reopen read and write it. */
export class SqliteLedgerRows {
  constructor(
    private readonly database: SqliteDatabase,
    private readonly tables: SqliteTables,
  ) {}

  /** The number of an event, or undefined where it is new. */
  find({ endpoint, eventId }: InboxKey): number | undefined {
    const [event] = selectJson<{ number: number }>(
      this.database,
      `SELECT json_object('number', number) AS json FROM ${this.tables.events} WHERE endpoint = ? AND event_id = ?`,
      endpoint,
      eventId,
    );
    return event?.number;
  }

  /** Records a new event; returns its number. */
  record({ endpoint, eventId, type, occurredAt, payload }: InboxEvent, now: number): number {
    const { events, payloads } = this.tables;
    this.database
      .prepare(
        `INSERT INTO ${events} (endpoint, event_id, type, occurred_at, received_at) VALUES (?, ?, ?, ?, ?)`,
      )
      .run(endpoint, eventId, type, occurredAt, now);
    const [event] = selectJson<{ number: number }>(
      this.database,
      "SELECT json_object('number', last_insert_rowid()) AS json",
    );
    const number = event?.number ?? 0;
    this.database
      .prepare(`INSERT INTO ${payloads} (event_number, payload) VALUES (?, ?)`)
      .run(number, payload);
    return number;
  }

  /** The rows of an event's handlers. */
  read(eventNumber: number): Map<string, RunRecord> {
    const stored = selectJson<StoredRow>(
      this.database,
      `SELECT json_object(
        'handlerId', handler_id, 'state', state, 'attempts', attempts, 'updatedAt', updated_at,
        'leaseToken', lease_token, 'leaseEndsAt', lease_ends_at, 'errorName', error_name, 'errorMessage', error_message
      ) AS json FROM ${this.tables.handlers} WHERE event_number = ?`,
      eventNumber,
    );
    return new Map(stored.map((row) => [row.handlerId, toLedgerRow(row)]));
  }

  /** Writes the row of one handler, new or not. */
  write(eventNumber: number, handlerId: string, row: RunRecord): void {
    this.database
      .prepare(
        `INSERT OR REPLACE INTO ${this.tables.handlers} (
          event_number, handler_id, state, attempts, updated_at, lease_token, lease_ends_at, error_name, error_message
        ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        eventNumber,
        handlerId,
        row.state,
        row.attempts,
        row.updatedAt,
        row.leaseToken ?? null,
        row.leaseEndsAt ?? null,
        row.error?.name ?? null,
        row.error?.message ?? null,
      );
  }
}

function toLedgerRow(stored: StoredRow): RunRecord {
  const { state, attempts, updatedAt, leaseToken, leaseEndsAt, errorName, errorMessage } = stored;
  return {
    state,
    attempts,
    updatedAt,
    leaseToken: leaseToken ?? undefined,
    leaseEndsAt: leaseEndsAt ?? undefined,
    error: errorName === null ? undefined : { name: errorName, message: errorMessage ?? '' },
  };
}

/**
 * Writes a success in the transaction that is open on the caller's connection. The row keeps the lease's token, by
 * which the settlement that follows is recognised.
 */
export function completeInTransaction(
  transaction: unknown,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
  handlerId: string,
  lease: InboxLease,
): void {
  if (!isSqliteDatabase(transaction)) {
    throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.notASqliteDatabase('transaction'));
  }
  requireTransaction(transaction);
  // One statement that writes: reading first could leave a deferred transaction with an old state of the database.
  const written = transaction
    .prepare(
      `UPDATE ${tables.handlers}
        SET state = 'done', updated_at = ?, lease_ends_at = NULL, error_name = NULL, error_message = NULL
        WHERE event_number = (SELECT number FROM ${tables.events} WHERE endpoint = ? AND event_id = ?)
          AND handler_id = ? AND state IN ('running', 'done') AND lease_token = ?
        RETURNING 1`,
    )
    .all(Date.now(), endpoint, eventId, handlerId, lease.token);
  if (written.length === 0) throw new LeaseLostError(eventId, handlerId);
}

/** Not every driver tells whether a transaction is open; every one refuses to begin a second. */
function requireTransaction(database: SqliteDatabase): void {
  try {
    database.exec('BEGIN');
  } catch (error) {
    if (isNestedTransactionError(error)) return;
    throw error;
  }
  database.exec('ROLLBACK');
  throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.noOpenTransaction);
}

/**
 * Forgets the oldest events that were received before a time, at most so many, and none with a run in progress.
 * To be called in a write transaction. Returns how many they were.
 */
export function pruneEvents(
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
