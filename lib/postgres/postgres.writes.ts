import { Batcher } from '../inbox/batcher.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxEvent, InboxLease, RunSettlement } from '../inbox/inbox-store.js';
import type { OrderPlace } from '../inbox/inbox-work.js';
import { toStorableText } from '../inbox/storable-text.js';
import { isOfStatement, type PostgresConnection } from './postgres.connection.js';
import { textOf } from './postgres.reads.js';
import type { PostgresRow } from './postgres-queryable.js';

export function toKey({ endpoint, eventId }: InboxKey): string[] {
  return [toStorableText(endpoint), toStorableText(eventId)];
}

/** A run as the statements get it. The names are those of their columns, and the texts can be stored. */
export interface RunRow {
  readonly endpoint: string;
  readonly event_id: string;
  readonly handler_id: string;
}

function toRunRow({ endpoint, eventId }: InboxKey, handlerId: string): RunRow {
  return {
    endpoint: toStorableText(endpoint),
    event_id: toStorableText(eventId),
    handler_id: toStorableText(handlerId),
  };
}

interface QueuedRow extends RunRow {
  readonly order_key: string | null;
  readonly order_at: number | null;
}

export function toQueuedRow(key: InboxKey, handlerId: string, place: OrderPlace | undefined): QueuedRow {
  return {
    ...toRunRow(key, handlerId),
    order_key: place?.key ?? null,
    order_at: place?.occurredAt ?? null,
  };
}

interface ClaimRow extends RunRow {
  readonly lease_token: string;
  readonly lease_ms: number;
  readonly takes_over: string | null;
  readonly retry_in_ms: number | null;
}

export function toClaimRow(key: InboxKey, handlerId: string, lease: InboxLease): ClaimRow {
  const { token, durationMs, takesOver, retryInMs } = lease;
  return {
    ...toRunRow(key, handlerId),
    lease_token: toStorableText(token),
    lease_ms: durationMs,
    takes_over: takesOver ? toStorableText(takesOver) : null,
    retry_in_ms: retryInMs === undefined ? null : Math.max(retryInMs, durationMs),
  };
}

interface SettlementRow extends RunRow {
  readonly lease_token: string;
  readonly state: string;
  readonly error_name: string | null;
  readonly error_message: string | null;
  readonly retry_in_ms: number | null;
}

export function toSettlementRow(key: InboxKey, settlement: RunSettlement, lease: InboxLease): SettlementRow {
  const { handlerId, state, error, retryInMs } = settlement;
  return {
    ...toRunRow(key, handlerId),
    lease_token: toStorableText(lease.token),
    state,
    error_name: error ? toStorableText(error.name) : null,
    error_message: error ? toStorableText(error.message) : null,
    retry_in_ms: retryInMs ?? null,
  };
}

interface EventRow {
  readonly endpoint: string;
  readonly event_id: string;
  readonly type: string;
  readonly occurred_at: string;
  /** Base64. */
  readonly payload: string;
  readonly delivery: string | null;
}

function toEventRow({ endpoint, eventId, type, occurredAt, payload, delivery }: InboxEvent): EventRow {
  return {
    endpoint: toStorableText(endpoint),
    event_id: toStorableText(eventId),
    type: toStorableText(type),
    occurred_at: toStorableText(occurredAt),
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
    delivery: delivery ? toStorableText(JSON.stringify(delivery)) : null,
  };
}

/** What a delivery asks of a {@link SharedStatement}, as JSON. */
interface SharedItem {
  readonly runs: string;
  readonly event?: string;
  /** Each run as a text. */
  readonly keys: readonly string[];
}

// A handler's transaction may hold the lock of a run for long. Then only its own delivery waits.
const LOCK_TIMEOUT_OF_A_BATCH = '100ms';

/** A statement that deliveries share: it gets the runs and events of all of them, and returns a row at most for each run. */
export class SharedStatement {
  readonly #batcher: Batcher<SharedItem, readonly PostgresRow[]>;

  constructor(connection: PostgresConnection, text: string) {
    this.#batcher = new Batcher({
      database: 'Postgres',
      send: async (items) => {
        const runs = toList(items.flatMap((item) => (item.runs === '' ? [] : item.runs)));
        const events = items.flatMap(({ event }) => event ?? []);
        const given = events.length === 0 ? [runs] : [runs, toList(events)];
        const rows = await (items.length === 1
          ? connection.ask(text, [null, ...given])
          : connection.askBatch(text, [LOCK_TIMEOUT_OF_A_BATCH, ...given]));
        const byKey = new Map<string, PostgresRow>();
        for (const row of rows) byKey.set(toText(row.endpoint, row.event_id, row.handler_id), row);
        return ({ keys }) => keys.map((key) => byKey.get(key)).filter((row) => row !== undefined);
      },
      keysOf: ({ keys }) => keys,
      bytesOf: ({ runs, event = '' }) => runs.length + event.length,
      mayBeOfOneItem: isOfStatement,
    });
  }

  /**
   * @param event the event of the runs, if the statement records it
   * @returns what the statement returned about these runs
   */
  ask(runs: readonly RunRow[], event?: InboxEvent): Promise<readonly PostgresRow[]> {
    return this.#batcher.ask({
      runs: runs.map((run) => JSON.stringify(run)).join(),
      ...(event && { event: JSON.stringify(toEventRow(event)) }),
      keys: runs.map((run) => toText(run.endpoint, run.event_id, run.handler_id)),
    });
  }
}

function toList(items: readonly string[]): string {
  return `[${items.join()}]`;
}

/** Storable texts contain no NUL. */
function toText(...key: readonly unknown[]): string {
  return key.join('\u0000');
}

const MAX_ROUNDS = 5;

/**
 * Executes a statement about handlers until each of them has a row: a run that another transaction changed during the
 * statement is missing from its result, and another round nearly always finds it.
 *
 * @returns the handlers that are still missing
 */
export async function inRounds(
  handlerIds: readonly string[],
  ask: (handlerIds: readonly string[]) => Promise<readonly PostgresRow[]>,
): Promise<readonly string[]> {
  let missing = [...new Set(handlerIds)];
  let rounds = 0;
  // The first round takes place even without handlers, because it records the event.
  do {
    const rows = await ask(missing);
    const found = new Set(rows.map((row) => textOf(row, 'handler_id')));
    missing = missing.filter((handlerId) => !found.has(handlerId));
    rounds += 1;
  } while (missing.length > 0 && rounds < MAX_ROUNDS);
  return missing;
}
