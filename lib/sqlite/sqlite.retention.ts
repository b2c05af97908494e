import { toStorableText } from '../errors/safe-text.js';
import type { InboxErasure } from '../inbox/inbox-queries.js';
import type { InboxWarningReporter } from '../inbox/inbox-store.js';
import { KEPT_ERROR } from '../inbox/run-states.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteWriter } from './sqlite.writes.js';
import { MESSAGES, selectJson } from './sqlite-database.js';

const PRUNE_INTERVAL_MS = 60_000;
const PRUNE_RETRY_MS = 60 * 60 * 1000;
const BATCH_SIZE = 200; // The event loop and other processes wait for each batch.

/** Deletes and erases what is no longer to be kept: when it is asked to, and once a minute what is due. */
export class SqliteRetention {
  #nextPruneAt = 0;
  /** Where the next search for payloads to drop begins. */
  #sweptUntil = 0;
  #warn: InboxWarningReporter = () => {};

  /** @param write runs work in a write transaction */
  constructor(
    private readonly tables: SqliteTables,
    private readonly retentionMs: number,
    private readonly write: <T>(work: (writer: SqliteWriter) => T) => Promise<T>,
  ) {}

  onWarning(report: InboxWarningReporter): void {
    this.#warn = report;
  }

  /** Deletes the events that were received before a time. Returns how many. */
  async pruneBefore(time: Date): Promise<number> {
    let total = 0;
    for (;;) {
      const pruned = await this.write((writer) =>
        deleteEvents(writer, time.getTime(), Date.now(), BATCH_SIZE),
      );
      total += pruned;
      if (pruned < BATCH_SIZE) return total;
    }
  }

  /** Deletes a batch of old events in a separate transaction, so that a failure does not fail the claim before it. */
  async pruneExpired(): Promise<void> {
    const now = Date.now();
    if (now < this.#nextPruneAt) return;
    this.#nextPruneAt = now + PRUNE_INTERVAL_MS;
    try {
      const pruned = await this.write((writer) => {
        if (writer.dropsPayloads) this.#sweptUntil = dropPayloads(writer, this.#sweptUntil);
        return deleteEvents(writer, now - this.retentionMs, now, BATCH_SIZE);
      });
      if (pruned === BATCH_SIZE) this.#nextPruneAt = now;
    } catch (error) {
      this.#nextPruneAt = now + PRUNE_RETRY_MS;
      this.#warn(MESSAGES.retentionFailed(this.tables.events), error);
    }
  }

  /** See `InboxStore.erase`. */
  async erase(which: InboxErasure): Promise<number> {
    let total = 0;
    let after: number | undefined = 0;
    while (after !== undefined) {
      const from: number = after;
      const batch: ErasedBatch = await this.write((writer) => eraseBatch(writer, which, from));
      total += batch.erased;
      after = batch.last;
    }
    return total;
  }
}

interface ErasedBatch {
  readonly erased: number;
  /** The number of the last event, if there may be more. */
  readonly last: number | undefined;
}

/** Erases the next events of an organization or an entity. */
function eraseBatch(
  { database, tables }: SqliteWriter,
  { endpoint, organizationId, entity }: InboxErasure,
  after: number,
): ErasedBatch {
  const { events, payloads, handlers } = tables;
  const [column, value, index] =
    organizationId === undefined
      ? (['entity', entity, 'entity'] as const)
      : (['organization_id', organizationId, 'organization'] as const);
  const found = selectJson<{ number: number; isAsked: 0 | 1 }>(
    database,
    `SELECT json_object('number', number, 'isAsked', endpoint = ifnull(?, endpoint)) AS json
      FROM ${events} INDEXED BY ${events}_by_${index}
      WHERE ${column} = ? AND number > ? ORDER BY number LIMIT ?`,
    endpoint === undefined ? null : toStorableText(endpoint),
    toStorableText(value),
    after,
    BATCH_SIZE,
  );
  const numbers = JSON.stringify(found.filter(({ isAsked }) => isAsked).map(({ number }) => number));
  const among = 'IN (SELECT value FROM json_each(?))';
  database.prepare(`DELETE FROM ${payloads} WHERE event_number ${among}`).run(numbers);
  database
    .prepare(
      `UPDATE ${handlers} SET error_message = ''
        WHERE event_number ${among} AND error_message <> '' AND error_name <> '${KEPT_ERROR}'`,
    )
    .run(numbers);
  const erased = database
    .prepare(
      `UPDATE ${events} SET erased_at = ? WHERE number ${among} AND erased_at IS NULL RETURNING number`,
    )
    .all(Date.now(), numbers);
  return {
    erased: erased.length,
    last: found.length < BATCH_SIZE ? undefined : found.at(-1)?.number,
  };
}

/**
 * Drops the payloads of the next events whose runs are done: those that are left if a process died after it completed a
 * transaction. Returns where to continue.
 */
function dropPayloads(writer: SqliteWriter, after: number): number {
  const stored = selectJson<{ number: number }>(
    writer.database,
    `SELECT json_object('number', event_number) AS json FROM ${writer.tables.payloads}
      WHERE event_number > ? ORDER BY event_number LIMIT ?`,
    after,
    BATCH_SIZE,
  );
  for (const { number } of stored) writer.dropIfDone(number);
  return stored.length < BATCH_SIZE ? 0 : (stored.at(-1)?.number ?? 0);
}

/** Deletes the oldest events that were received before a time, except those with a run in progress. Returns how many. */
function deleteEvents(
  { database, tables }: SqliteWriter,
  before: number,
  now: number,
  limit: number,
): number {
  const { events, payloads, handlers, entities, keys } = tables;
  database
    .prepare(
      `DELETE FROM ${entities} AS entity
        WHERE admitted_at < ? AND NOT EXISTS (
          SELECT 1 FROM ${events} AS e CROSS JOIN ${handlers} AS h ON h.event_number = e.number
          WHERE e.endpoint = entity.endpoint AND e.event_id = entity.event_id AND h.handler_id = entity.handler_id
            AND h.lease_token = entity.lease_token AND h.state = 'running' AND h.lease_ends_at > ?
        )`,
    )
    .run(before, now);
  // Keys are deleted when they have no runs left, but not while no worker has their handler.
  database
    .prepare(
      `DELETE FROM ${keys} AS k
        WHERE due_at < ? AND NOT EXISTS (
          SELECT 1 FROM ${handlers} AS h
          WHERE h.endpoint = k.endpoint AND h.handler_id = k.handler_id AND h.order_key = k.order_key
            AND h.due_at IS NOT NULL
        )`,
    )
    .run(before);
  const old = selectJson<{ number: number }>(
    database,
    `SELECT json_object('number', number) AS json FROM ${events} AS e
      WHERE received_at < ? AND NOT EXISTS (
        SELECT 1 FROM ${handlers} AS h
        WHERE h.event_number = e.number AND h.state = 'running' AND h.lease_ends_at > ?
      )
      ORDER BY received_at LIMIT ?`,
    before,
    now,
    limit,
  );
  const deletions = [
    database.prepare(`DELETE FROM ${handlers} WHERE event_number = ?`),
    database.prepare(`DELETE FROM ${payloads} WHERE event_number = ?`),
    database.prepare(`DELETE FROM ${events} WHERE number = ?`),
  ];
  for (const { number } of old) {
    for (const deletion of deletions) deletion.run(number);
  }
  return old.length;
}
