import { answerInTime } from '../inbox/batcher.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxWarningReporter } from '../inbox/inbox-store.js';
import type { StoredTexts } from '../inbox/payload-protection.js';
import type { PostgresConnection } from './postgres.connection.js';
import { MESSAGES } from './postgres.messages.js';
import { forgetEntitiesSql, forgetKeysSql } from './postgres.order.js';
import { payloadSql } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { toDelivery } from './postgres.work.js';
import { toKey, toTexts } from './postgres.writes.js';

const PRUNE_INTERVAL_MS = 60 * 60 * 1000;
const PRUNE_BATCH_SIZE = 500;

/** Deletes old events: when it is asked to, and once an hour those whose time is over. */
export class PostgresRetention {
  #pruning: Promise<unknown> = Promise.resolve();
  #nextPruneAt = Number.NEGATIVE_INFINITY;
  #warn: InboxWarningReporter = () => {};

  constructor(
    private readonly tables: PostgresTables,
    private readonly retentionMs: number,
    private readonly connection: PostgresConnection,
  ) {}

  onWarning(report: InboxWarningReporter): void {
    this.#warn = report;
  }

  /** Deletes the events that were received before a time. Returns how many. */
  async pruneBefore(time: Date): Promise<number> {
    const byTime = pruneSql(this.tables, 'to_timestamp($1::float8 / 1000)');
    const { deleted } = await this.#prune(byTime, time.getTime());
    return deleted;
  }

  /** The role may not delete. Reports it like a failure to delete, so that there is one warning and not two. */
  mayNotDelete(): void {
    const now = performance.now();
    if (now < this.#nextPruneAt) return;
    this.#nextPruneAt = now + PRUNE_INTERVAL_MS;
    this.#warn(MESSAGES.retentionFailed(this.tables.events));
  }

  /** Deletes the events whose time is over, in the background, at most once an hour. */
  pruneExpired(): void {
    const now = performance.now();
    if (now < this.#nextPruneAt) return;
    this.#nextPruneAt = now + PRUNE_INTERVAL_MS;
    const byAge = pruneSql(this.tables, "clock_timestamp() - $1::float8 * interval '1 millisecond'");
    // A failure must not fail the claim that started this. The next round deletes what is left.
    this.#pruning = this.#prune(byAge, this.retentionMs)
      .then(
        ({ found, deleted }) => {
          if (found > 0 && deleted === 0) this.#warn(MESSAGES.nothingDeleted(this.tables.events));
        },
        (error) => this.#warn(MESSAGES.retentionFailed(this.tables.events), error),
      )
      .catch(() => {});
  }

  /** Resolves when nothing is being deleted in the background, but at the latest after 10 s. */
  async idle(): Promise<void> {
    await answerInTime(this.#pruning, 'Postgres').catch(() => undefined);
  }

  /** Deletes old events, until there are no more, or none of a batch can be deleted. */
  async #prune(statement: string, bound: number): Promise<{ found: number; deleted: number }> {
    const total = { found: 0, deleted: 0 };
    for (let mayHaveMore = true; mayHaveMore; ) {
      const [row] = await this.connection.query(statement, [bound, PRUNE_BATCH_SIZE]);
      const [seen, forgotten] = [Number(row?.seen), Number(row?.forgotten)];
      total.found += seen;
      total.deleted += forgotten;
      mayHaveMore = seen >= PRUNE_BATCH_SIZE && forgotten > 0;
    }
    return total;
  }
}

/**
 * Deletes a batch of events that were received before `bound`, an SQL expression of $1, and what is known of entities that
 * no run has had since.
 *
 * Values: the bound, the size of the batch. Returns how many events were `seen` (fewer than the batch if there are no
 * more) and how many of those were `forgotten`.
 */
function pruneSql(tables: PostgresTables, bound: string): string {
  const { events, runs, application } = tables;
  const isRunning = "run.state = 'running' AND run.lease_ends_at > clock_timestamp()";
  const isItsRun =
    'run.application = event.application AND run.endpoint = event.endpoint AND run.event_id = event.event_id';
  // `held` locks the runs and reads their current state, so that an event that was claimed in between is kept.
  return `
WITH old AS MATERIALIZED (
  SELECT event.application, event.endpoint, event.event_id
  FROM ${events} AS event
  WHERE event.application = ${application} AND event.received_at < ${bound} AND event.received_at > '-infinity'
    AND NOT EXISTS (SELECT FROM ${runs} AS run WHERE ${isItsRun} AND ${isRunning})
  ORDER BY event.received_at
  LIMIT $2::integer
  FOR UPDATE OF event SKIP LOCKED
), held AS MATERIALIZED (
  SELECT run.application, run.endpoint, run.event_id, run.state, run.lease_ends_at
  FROM ${runs} AS run JOIN old AS event ON ${isItsRun}
  FOR UPDATE OF run
), forgotten AS (
  DELETE FROM ${events} AS event
  USING old
  WHERE event.application = old.application AND event.endpoint = old.endpoint AND event.event_id = old.event_id
    AND NOT EXISTS (SELECT FROM held AS run WHERE ${isItsRun} AND ${isRunning})
  RETURNING 1
), forgotten_entities AS (
  ${forgetEntitiesSql(tables, bound)}
), forgotten_keys AS (
  ${forgetKeysSql(tables, bound)}
)
SELECT (SELECT count(*) FROM old)::float8 AS seen, (SELECT count(*) FROM forgotten)::float8 AS forgotten`;
}

/** Reads and replaces what is stored of an event, as it is stored. */
export class PostgresTexts {
  readonly #read: string;
  readonly #replace: string;

  constructor(
    tables: PostgresTables,
    private readonly connection: PostgresConnection,
  ) {
    const { events, application } = tables;
    this.#read = payloadSql(tables);
    // Values: endpoint, event id, the old payload, the new payload, the delivery. Returns no row if it is not the old payload.
    this.#replace = `
WITH replaced AS (
  UPDATE ${events} SET payload = decode($4::text, 'base64'), delivery = $5::text
  WHERE application = ${application} AND endpoint = $1::text AND event_id = $2::text AND payload = decode($3::text, 'base64')
  RETURNING event_id
)
SELECT event_id FROM replaced`;
  }

  async read(key: InboxKey): Promise<StoredTexts | undefined> {
    const [row] = await this.connection.ask(this.#read, toKey(key));
    if (typeof row?.payload !== 'string') return undefined;
    return { payload: Buffer.from(row.payload, 'base64'), ...toDelivery(row) };
  }

  async replace(key: InboxKey, old: Uint8Array, texts: StoredTexts): Promise<boolean> {
    const { payload, delivery } = toTexts(texts);
    const values = [...toKey(key), toTexts({ payload: old }).payload, payload, delivery];
    return (await this.connection.ask(this.#replace, values)).length > 0;
  }
}
