import { LeaseLostError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import type { InboxKey, RunNote, RunState } from '../inbox/inbox-queries.js';
import type { InboxLease } from '../inbox/inbox-store.js';
import type { StoredEvent, StoredTexts } from '../inbox/payload-protection.js';
import type { EntityRecord, RunRecord } from '../inbox/run-states.js';
import type { SqliteTables } from './sqlite.schema.js';
import {
  isNestedTransactionError,
  isSqliteDatabase,
  MESSAGES,
  type SqliteDatabase,
  selectJson,
} from './sqlite-database.js';

/** Reads and writes events and runs inside a write transaction. */
export class SqliteWriter {
  constructor(
    readonly database: SqliteDatabase,
    readonly tables: SqliteTables,
    readonly dropsPayloads: boolean,
  ) {}

  /** The number of an event, or undefined if it is new. */
  findEvent({ endpoint, eventId }: InboxKey): number | undefined {
    const [event] = selectJson<{ number: number }>(
      this.database,
      `SELECT json_object('number', number) AS json FROM ${this.tables.events} WHERE endpoint = ? AND event_id = ?`,
      toStorableText(endpoint),
      toStorableText(eventId),
    );
    return event?.number;
  }

  /** Returns the number of the new event. */
  insertEvent(event: StoredEvent, now: number): number {
    const { endpoint, eventId, type, occurredAt, organizationId, entity, payload, delivery } = event;
    const { events, payloads } = this.tables;
    this.database
      .prepare(
        `INSERT INTO ${events} (endpoint, event_id, type, occurred_at, received_at, organization_id, entity)
          VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[endpoint, eventId, type, occurredAt].map(toStorableText),
        now,
        organizationId === undefined ? null : toStorableText(organizationId),
        entity === undefined ? null : toStorableText(entity),
      );
    const [inserted] = selectJson<{ number: number }>(
      this.database,
      "SELECT json_object('number', last_insert_rowid()) AS json",
    );
    const number = inserted?.number ?? 0;
    this.database
      .prepare(`INSERT INTO ${payloads} (event_number, payload, delivery) VALUES (?, ?, ?)`)
      .run(number, payload, toDeliveryText(delivery));
    return number;
  }

  /** Replaces what is stored of an event, if its payload is still the old one. */
  replaceTexts(key: InboxKey, old: Uint8Array, { payload, delivery }: StoredTexts): boolean {
    const replaced = this.database
      .prepare(
        `UPDATE ${this.tables.payloads} SET payload = ?, delivery = ? WHERE event_number = ? AND payload = ? RETURNING 1`,
      )
      .all(payload, toDeliveryText(delivery), this.findEvent(key) ?? null, old);
    return replaced.length > 0;
  }

  isErased(eventNumber: number): boolean {
    const erased = `SELECT 1 FROM ${this.tables.events} WHERE number = ? AND erased_at IS NOT NULL`;
    return this.database.prepare(erased).all(eventNumber).length > 0;
  }

  /** Stores the payload again that was dropped when all runs of the event were done: one of them needs it. */
  restorePayload(eventNumber: number, { payload, delivery }: StoredEvent): void {
    if (!this.dropsPayloads) return;
    const { events, payloads } = this.tables;
    this.database
      .prepare(
        `INSERT INTO ${payloads} (event_number, payload, delivery)
          SELECT number, ?, ? FROM ${events} WHERE number = ? AND erased_at IS NULL
          ON CONFLICT DO NOTHING`,
      )
      .run(payload, toDeliveryText(delivery), eventNumber);
  }

  /** Drops the payload of an event whose runs are done, if the store is to do so. */
  dropIfDone(eventNumber: number): void {
    if (!this.dropsPayloads) return;
    const { payloads, handlers } = this.tables;
    this.database
      .prepare(
        `DELETE FROM ${payloads} WHERE event_number = ? AND NOT EXISTS (
          SELECT 1 FROM ${handlers} AS h WHERE h.event_number = ${payloads}.event_number AND h.state <> 'done'
        )`,
      )
      .run(eventNumber);
  }

  /** The runs of an event, by handler id. */
  readRuns(eventNumber: number): Map<string, RunRecord> {
    const stored = selectJson<StoredRun>(
      this.database,
      `SELECT json_object(
        'handlerId', handler_id, 'state', state, 'attempts', attempts, 'updatedAt', updated_at,
        'leaseToken', lease_token, 'leaseEndsAt', lease_ends_at, 'errorName', error_name, 'errorMessage', error_message,
        'dueAt', due_at, 'workerAttempts', worker_attempts, 'note', note
      ) AS json FROM ${this.tables.handlers} WHERE event_number = ?`,
      eventNumber,
    );
    return new Map(stored.map((run) => [fromStorableText(run.handlerId), toRunRecord(run)]));
  }

  /** Inserts a run of an endpoint's event, or replaces it. It keeps its place. */
  writeRun(eventNumber: number, endpoint: string, handlerId: string, run: RunRecord): void {
    this.database
      .prepare(
        `INSERT INTO ${this.tables.handlers} (
          event_number, endpoint, handler_id, state, attempts, updated_at, lease_token, lease_ends_at,
          error_name, error_message, due_at, worker_attempts, note
        ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (event_number, handler_id) DO UPDATE SET
          endpoint = excluded.endpoint, state = excluded.state, attempts = excluded.attempts,
          updated_at = excluded.updated_at, lease_token = excluded.lease_token, lease_ends_at = excluded.lease_ends_at,
          error_name = excluded.error_name, error_message = excluded.error_message, due_at = excluded.due_at,
          worker_attempts = excluded.worker_attempts, note = excluded.note`,
      )
      .run(
        eventNumber,
        toStorableText(endpoint),
        toStorableText(handlerId),
        run.state,
        run.attempts,
        run.updatedAt,
        run.leaseToken ?? null,
        run.leaseEndsAt ?? null,
        run.error ? toStorableText(run.error.name) : null,
        run.error ? toStorableText(run.error.message) : null,
        run.dueAt ?? null,
        run.workerAttempts,
        run.note ?? null,
      );
  }

  /** A run of an event, and the event's number. */
  findRun(key: InboxKey, handlerId: string): { eventNumber: number; run: RunRecord } | undefined {
    const eventNumber = this.findEvent(key);
    const run = eventNumber === undefined ? undefined : this.readRuns(eventNumber).get(handlerId);
    return eventNumber === undefined || !run ? undefined : { eventNumber, run };
  }

  readEntity(name: string): EntityRecord | undefined {
    const [stored] = selectJson<StoredEntity>(
      this.database,
      `SELECT json_object(
        'eventId', event_id, 'leaseToken', lease_token, 'occurredAt', occurred_at, 'doneAt', done_at
      ) AS json FROM ${this.tables.entities} WHERE name = ?`,
      name,
    );
    if (!stored) return undefined;
    const { eventId, doneAt, ...entity } = stored;
    return { ...entity, eventId: fromStorableText(eventId), doneAt: doneAt ?? undefined };
  }

  /** Inserts what is known of an entity, or replaces it. */
  writeEntity(name: string, endpoint: string, handlerId: string, entity: EntityRecord, now: number): void {
    const { eventId, leaseToken, occurredAt, doneAt } = entity;
    const ids = [endpoint, handlerId, eventId].map(toStorableText);
    this.database
      .prepare(
        `INSERT OR REPLACE INTO ${this.tables.entities} (
          name, endpoint, handler_id, event_id, lease_token, occurred_at, done_at, admitted_at
        ) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(name, ...ids, leaseToken, occurredAt, doneAt ?? null, now);
  }

  /**
   * Replaces runs of an event.
   *
   * @param change returns the new run, or undefined to leave the run as it is
   * @returns the handler ids of the runs that were replaced
   */
  changeRuns(
    key: InboxKey,
    change: (run: RunRecord, handlerId: string) => RunRecord | undefined,
  ): readonly string[] {
    const eventNumber = this.findEvent(key);
    if (eventNumber === undefined) return [];
    const replaced = [...this.readRuns(eventNumber)].flatMap(([handlerId, run]) => {
      const changed = change(run, handlerId);
      if (!changed) return [];
      this.writeRun(eventNumber, key.endpoint, handlerId, changed);
      return [handlerId];
    });
    this.dropIfDone(eventNumber);
    return replaced;
  }
}

/** How an event arrived, as it is stored. */
function toDeliveryText(delivery: StoredEvent['delivery']): string | null {
  return delivery ? toStorableText(JSON.stringify(delivery)) : null;
}

/**
 * Records a run as done, in the transaction that is open on the caller's connection. The run keeps its lease token, so that
 * the settlement that follows is accepted.
 */
export function completeRun(
  transaction: unknown,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
  handlerId: string,
  lease: InboxLease,
): void {
  if (!isSqliteDatabase(transaction)) {
    throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.notSqliteDatabase('transaction'));
  }
  requireOpenTransaction(transaction);
  // A single statement: a SELECT before the UPDATE could pin a deferred transaction to an old snapshot of the database.
  const completed = transaction
    .prepare(
      `UPDATE ${tables.handlers}
        SET state = 'done', updated_at = ?, lease_ends_at = NULL, error_name = NULL, error_message = NULL, due_at = NULL
        WHERE event_number = (SELECT number FROM ${tables.events} WHERE endpoint = ? AND event_id = ?)
          AND handler_id = ? AND state = 'running' AND lease_token = ?
        RETURNING 1`,
    )
    .all(Date.now(), ...[endpoint, eventId, handlerId].map(toStorableText), lease.token);
  if (completed.length === 0) throw new LeaseLostError(eventId, handlerId);
}

/** Not every driver says whether a transaction is open, but all of them refuse to begin a second one. */
function requireOpenTransaction(database: SqliteDatabase): void {
  try {
    database.exec('BEGIN');
  } catch (error) {
    if (isNestedTransactionError(error)) return;
    throw error;
  }
  database.exec('ROLLBACK');
  throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.noOpenTransaction);
}

interface StoredRun {
  readonly handlerId: string;
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly leaseToken: string | null;
  readonly leaseEndsAt: number | null;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
  readonly dueAt: number | null;
  readonly workerAttempts: number;
  readonly note: RunNote | null;
}

type StoredEntity = Omit<EntityRecord, 'doneAt'> & { readonly doneAt: number | null };

function toRunRecord(run: StoredRun): RunRecord {
  const { state, attempts, updatedAt, leaseToken, leaseEndsAt, errorName, errorMessage } = run;
  return {
    state,
    attempts,
    updatedAt,
    leaseToken: leaseToken ?? undefined,
    leaseEndsAt: leaseEndsAt ?? undefined,
    dueAt: run.dueAt ?? undefined,
    workerAttempts: run.workerAttempts,
    ...(run.note && { note: run.note }),
    error:
      errorName === null
        ? undefined
        : { name: fromStorableText(errorName), message: fromStorableText(errorMessage ?? '') },
  };
}
