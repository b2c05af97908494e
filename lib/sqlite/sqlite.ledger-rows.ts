import type { LedgerRow } from '../inbox/claim.rules.js';
import type { HandlerRowState, InboxEvent, InboxKey } from '../inbox/inbox-entry.js';
import { selectJson } from './select-json.js';
import type { SqliteTables } from './sqlite.tables.js';
import type { SqliteDatabase } from './sqlite-database.js';

/** A handler's row as it is stored. */
interface StoredRow {
  readonly handlerId: string;
  readonly state: HandlerRowState;
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
  read(eventNumber: number): Map<string, LedgerRow> {
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
  write(eventNumber: number, handlerId: string, row: LedgerRow): void {
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

function toLedgerRow(stored: StoredRow): LedgerRow {
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
