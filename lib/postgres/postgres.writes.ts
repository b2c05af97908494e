import { LeaseLostError } from '../errors/errors.js';
import { toStorableText } from '../errors/safe-text.js';
import { Batcher } from '../inbox/batcher.js';
import type { InboxKey, RunState } from '../inbox/inbox-queries.js';
import type { InboxLease, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import type { OrderPlace, RecoveryStart } from '../inbox/inbox-work.js';
import type { StoredEvent } from '../inbox/payload-protection.js';
import { isOfStatement, type PostgresConnection } from './postgres.connection.js';
import { textOf, toKey, toRunClaim } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { inMs } from './postgres.sql.js';
import { toTexts } from './postgres.texts.js';
import { completeRun, type PostgresQueryable, type PostgresRow } from './postgres-queryable.js';

/** All runs of an event, or those of some handlers. */
export function toKeyOfRuns(key: InboxKey, handlerIds: readonly string[] | undefined): unknown[] {
  return [...toKey(key), handlerIds?.map(toStorableText) ?? null];
}

export function toLeasedRun(key: InboxKey, handlerId: string, { token }: InboxLease): string[] {
  return [...toKey(key), toStorableText(handlerId), toStorableText(token)];
}

/**
 * Records a run as done in the transaction that is open on the client.
 *
 * @throws LeaseLostError when the lease no longer holds the run
 */
export async function completeLeased(
  client: PostgresQueryable,
  statement: string,
  key: InboxKey,
  handlerId: string,
  lease: InboxLease,
): Promise<void> {
  const isHeld = await completeRun(client, statement, toLeasedRun(key, handlerId, lease));
  if (!isHeld) throw new LeaseLostError(key.eventId, handlerId);
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

function toQueuedRow(key: InboxKey, handlerId: string, place: OrderPlace | undefined): QueuedRow {
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
  readonly takes_queued: boolean;
  readonly retry_in_ms: number | null;
}

function toClaimRow(key: InboxKey, handlerId: string, lease: InboxLease): ClaimRow {
  const { token, durationMs, takesOver, takesQueued = false, retryInMs } = lease;
  return {
    ...toRunRow(key, handlerId),
    lease_token: toStorableText(token),
    lease_ms: durationMs,
    takes_over: takesOver ? toStorableText(takesOver) : null,
    takes_queued: takesQueued,
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
  readonly organization_id: string | null;
  readonly entity: string | null;
  /** Base64. */
  readonly payload: string;
  readonly delivery: string | null;
}

function toEventRow(event: StoredEvent): EventRow {
  const { endpoint, eventId, type, occurredAt, organizationId, entity, payload, delivery } = event;
  return {
    endpoint: toStorableText(endpoint),
    event_id: toStorableText(eventId),
    type: toStorableText(type),
    occurred_at: toStorableText(occurredAt),
    organization_id: organizationId === undefined ? null : toStorableText(organizationId),
    entity: entity === undefined ? null : toStorableText(entity),
    ...toTexts({ payload, ...(delivery && { delivery }) }),
  };
}

/** What a delivery asks of a {@link SharedStatement}, as JSON. */
interface SharedItem {
  readonly runs: string;
  readonly event?: string;
  /** Each run as a text. */
  readonly keys: readonly string[];
}

/** How to ask about a handler, and what the answer means. */
interface ForEachHandler<Answer> {
  toRow(handlerId: string): RunRow;
  read(row: PostgresRow): Answer;
  /** Stands for a run that changes so often that no round finds it: other processes are working on it. */
  readonly changing: Answer;
}

/** How to claim runs of an event. */
export function toClaims(key: InboxKey, lease: InboxLease): ForEachHandler<RunClaim> {
  return {
    toRow: (id) => toClaimRow(key, id, lease),
    read: toRunClaim,
    changing: { state: 'running', leaseEndsInMs: lease.durationMs },
  };
}

/** How to hand runs of an event to the workers, some of them with a place. */
export function toQueued(
  key: InboxKey,
  places: ReadonlyMap<string, OrderPlace> | undefined,
): ForEachHandler<RunState> {
  return {
    toRow: (id) => toQueuedRow(key, id, places?.get(id)),
    read: (row) => row.state as RunState,
    changing: 'running',
  };
}

// A run that another transaction changes during the statement is missing from its result. Another round nearly always finds it.
const MAX_ROUNDS = 5;

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
  ask(runs: readonly RunRow[], event?: StoredEvent): Promise<readonly PostgresRow[]> {
    return this.#batcher.ask({
      runs: runs.map((run) => JSON.stringify(run)).join(),
      ...(event && { event: JSON.stringify(toEventRow(event)) }),
      keys: runs.map((run) => toText(run.endpoint, run.event_id, run.handler_id)),
    });
  }

  /** Asks about each handler of an event until there is an answer for all of them. */
  async askForEach<Answer>(
    handlerIds: readonly string[],
    event: StoredEvent,
    { toRow, read, changing }: ForEachHandler<Answer>,
  ): Promise<Map<string, Answer>> {
    const answers = new Map<string, Answer>();
    let missing = [...new Set(handlerIds)];
    let rounds = 0;
    // The first round takes place even without handlers, because it records the event.
    do {
      for (const row of await this.ask(missing.map(toRow), event)) {
        answers.set(textOf(row, 'handler_id'), read(row));
      }
      missing = missing.filter((handlerId) => !answers.has(handlerId));
      rounds += 1;
    } while (missing.length > 0 && rounds < MAX_ROUNDS);
    for (const handlerId of missing) answers.set(handlerId, changing);
    return answers;
  }
}

function toList(items: readonly string[]): string {
  return `[${items.join()}]`;
}

/** Storable texts contain no NUL. */
function toText(...key: readonly unknown[]): string {
  return key.join('\u0000');
}

/** Remembers how far the recovery of each endpoint has come. */
export class PostgresRecovery {
  readonly #begin: string;
  readonly #end: string;

  constructor(
    { recoveries, application }: PostgresTables,
    private readonly connection: PostgresConnection,
  ) {
    // Values: endpoint, lease token, lease in ms. Returns no row if another process has the lease.
    this.#begin = `
WITH begun AS (
  INSERT INTO ${recoveries} AS recovery (application, endpoint, lease_token, lease_ends_at)
  VALUES (${application}, $1::text, $2::text, ${inMs('$3::float8')})
  ON CONFLICT (application, endpoint) DO UPDATE SET lease_token = $2::text, lease_ends_at = ${inMs('$3::float8')}
  WHERE recovery.lease_token = $2::text OR recovery.lease_ends_at <= clock_timestamp()
  RETURNING recovery.checkpoint
)
SELECT round(extract(epoch FROM checkpoint) * 1000)::float8 AS checkpoint FROM begun`;
    // Values: endpoint, lease token, checkpoint in ms or NULL. The token stays, so that the end can be repeated.
    this.#end = `
WITH ended AS (
  UPDATE ${recoveries} AS recovery SET
    checkpoint = greatest(recovery.checkpoint, to_timestamp($3::float8 / 1000)), lease_ends_at = clock_timestamp()
  WHERE recovery.application = ${application} AND recovery.endpoint = $1::text AND recovery.lease_token = $2::text
  RETURNING recovery.endpoint
)
SELECT endpoint FROM ended`;
  }

  async begin(endpoint: string, lease: InboxLease): Promise<RecoveryStart | undefined> {
    const values = [toStorableText(endpoint), toStorableText(lease.token), lease.durationMs];
    const [row] = await this.connection.ask(this.#begin, values);
    if (!row) return undefined;
    return row.checkpoint === null ? {} : { checkpoint: new Date(Number(row.checkpoint)) };
  }

  async end(endpoint: string, lease: InboxLease, checkpoint?: Date): Promise<boolean> {
    const values = [toStorableText(endpoint), toStorableText(lease.token), checkpoint?.getTime() ?? null];
    return (await this.connection.ask(this.#end, values)).length > 0;
  }
}
