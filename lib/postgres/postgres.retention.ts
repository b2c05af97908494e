import { setTimeout as delay } from 'node:timers/promises';
import { InboxUnusableError } from '../errors/errors.js';
import { toStorableText } from '../errors/safe-text.js';
import { answerInTime, Batcher } from '../inbox/batcher.js';
import type { InboxErasure, InboxKey } from '../inbox/inbox-queries.js';
import type { InboxWarningReporter } from '../inbox/inbox-store.js';
import { KEPT_ERROR } from '../inbox/run-states.js';
import type { PostgresConnection } from './postgres.connection.js';
import { MESSAGES } from './postgres.messages.js';
import { forgetEntitiesSql, forgetKeysSql } from './postgres.order.js';
import type { PostgresTables } from './postgres.schema.js';

const PRUNE_INTERVAL_MS = 60 * 60 * 1000;
const BATCH_SIZE = 500;
// So that a long backlog is not read every hour.
const MOST_BATCHES_OF_A_SWEEP = 20;
// How long to wait for runs that transactions of handlers hold.
const LOCK_PATIENCE_MS = 30_000;
const LONGEST_PAUSE_MS = 500;

/** Deletes, erases and drops what is no longer to be kept: when it is asked to, and once an hour what is due. */
export class PostgresRetention {
  #pruning: Promise<unknown> = Promise.resolve();
  #nextPruneAt = Number.NEGATIVE_INFINITY;
  /** Where the next search for payloads to drop begins. */
  #sweptUntil = '0';
  #warn: InboxWarningReporter = () => {};
  readonly #drops: Batcher<string, void>;

  constructor(
    private readonly tables: PostgresTables,
    private readonly retentionMs: number,
    private readonly dropsPayloads: boolean,
    private readonly connection: PostgresConnection,
  ) {
    const statement = dropSql(tables);
    this.#drops = new Batcher({
      database: 'Postgres',
      send: async (keys) => {
        await connection.ask(statement, [`[${keys.join()}]`]);
        return () => undefined;
      },
      keysOf: (key) => [key],
      bytesOf: (key) => key.length,
      mayBeOfOneItem: () => false,
    });
  }

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
      .then(() => this.#dropLeft())
      .catch(() => {});
  }

  /** Drops the payload of an event if all of its runs are done now. Never rejects: what is left is dropped later. */
  async dropIfDone({ endpoint, eventId }: InboxKey): Promise<void> {
    if (!this.dropsPayloads) return;
    const key = { endpoint: toStorableText(endpoint), event_id: toStorableText(eventId) };
    await this.#drops.ask(JSON.stringify(key)).catch((error) => this.#warnOfDrops(error));
  }

  /** See `InboxStore.erase`. */
  async erase({ endpoint, organizationId, entity }: InboxErasure): Promise<number> {
    const [column, value] =
      organizationId === undefined
        ? (['entity', entity] as const)
        : (['organization_id', organizationId] as const);
    const asked = [toStorableText(value), endpoint === undefined ? null : toStorableText(endpoint)];
    const { events, runs } = eraseSql(this.tables, column);
    let [total, after, mayHaveMore] = [0, '0', true];
    while (mayHaveMore) {
      const [row] = await this.connection.query(events, [...asked, after, BATCH_SIZE]);
      total += Number(row?.erased);
      mayHaveMore = Number(row?.seen) >= BATCH_SIZE;
      const last = String(row?.last ?? after);
      await this.#eraseRuns(runs, [...asked, after, last]);
      after = last;
    }
    return total;
  }

  /** Erases the runs of a batch. It passes over those that others have locked, and looks at them again. */
  async #eraseRuns(statement: string, values: unknown[]): Promise<void> {
    const giveUpAt = performance.now() + LOCK_PATIENCE_MS;
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const [row] = await this.connection.query(statement, values);
      if (Number(row?.runs_left) === 0) return;
      if (performance.now() > giveUpAt)
        throw new InboxUnusableError([MESSAGES.runsLocked(Number(row?.runs_left))]);
      await delay(pauseMs);
    }
  }

  /** Drops the payloads that are left if a process died between a settlement and the statement after it. */
  async #dropLeft(): Promise<void> {
    if (!this.dropsPayloads) return;
    const { events, application } = this.tables;
    const page = `SELECT endpoint, event_id, seq::text AS seq FROM ${events}
  WHERE application = ${application} AND drops_payload AND seq > $1::bigint ORDER BY seq LIMIT $2::integer`;
    try {
      for (let batches = 0; batches < MOST_BATCHES_OF_A_SWEEP; batches += 1) {
        const rows = await this.connection.query(page, [this.#sweptUntil, BATCH_SIZE]);
        const keys = rows.map(({ endpoint, event_id }) => ({ endpoint, event_id }));
        if (keys.length > 0) await this.connection.query(dropSql(this.tables), [JSON.stringify(keys)]);
        this.#sweptUntil = rows.length < BATCH_SIZE ? '0' : String(rows.at(-1)?.seq);
        if (rows.length < BATCH_SIZE) return;
      }
    } catch (error) {
      this.#warnOfDrops(error);
    }
  }

  #warnOfDrops(error: unknown): void {
    this.#warn(MESSAGES.dropFailed(this.tables.events), error);
  }

  /** Resolves when nothing is being deleted in the background, but at the latest after 10 s. */
  async idle(): Promise<void> {
    await answerInTime(this.#pruning, 'Postgres').catch(() => undefined);
  }

  /** Deletes old events, until there are no more, or none of a batch can be deleted. */
  async #prune(statement: string, bound: number): Promise<{ found: number; deleted: number }> {
    const total = { found: 0, deleted: 0 };
    for (let mayHaveMore = true; mayHaveMore; ) {
      const [row] = await this.connection.query(statement, [bound, BATCH_SIZE]);
      const [seen, forgotten] = [Number(row?.seen), Number(row?.forgotten)];
      total.found += seen;
      total.deleted += forgotten;
      mayHaveMore = seen >= BATCH_SIZE && forgotten > 0;
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

/**
 * Drops the payloads of those events whose runs are all done. Values: the keys of the events, as JSON.
 *
 * A claim that adds a run, or that makes one run again, writes the row of the event. So if the row is not the one that this
 * statement has seen, it may not have seen all runs, and it leaves the event to the settlement that follows that claim. Encrypting it
 * again writes the row too, and leaves the event to the sweep.
 */
function dropSql({ events, runs, application }: PostgresTables): string {
  const isIt = (other: string) =>
    `event.application = ${application} AND event.endpoint = ${other}.endpoint AND event.event_id = ${other}.event_id`;
  return `
WITH asked AS MATERIALIZED (
  SELECT DISTINCT endpoint, event_id FROM json_to_recordset($1::text::json) AS given (endpoint text, event_id text)
), seen AS MATERIALIZED (
  SELECT event.endpoint, event.event_id, event.version
  FROM asked CROSS JOIN LATERAL (
    SELECT event.endpoint, event.event_id, event.xmin AS version FROM ${events} AS event
    WHERE ${isIt('asked')} AND event.payload IS NOT NULL LIMIT 1
  ) AS event
  WHERE NOT EXISTS (
    SELECT FROM ${runs} AS run
    WHERE run.application = ${application} AND run.endpoint = event.endpoint AND run.event_id = event.event_id
      AND run.state <> 'done'
  )
), locked AS MATERIALIZED (
  SELECT event.endpoint, event.event_id FROM ${events} AS event JOIN seen ON ${isIt('seen')}
  ORDER BY event.endpoint, event.event_id
  FOR NO KEY UPDATE OF event
), dropped AS (
  UPDATE ${events} AS event SET payload = NULL, delivery = NULL, drops_payload = NULL
  FROM seen
  WHERE ${isIt('seen')} AND event.xmin = seen.version AND (SELECT count(*) FROM locked) > 0
  RETURNING 1
)
SELECT count(*)::float8 AS dropped FROM dropped`;
}

/**
 * The statements that erase a batch of entries: first the events, then, in a statement that sees all of their runs, the runs.
 *
 * Values of both: the organization or the entity, the endpoint or NULL, and the number of the last event of the batch before. Then
 * the size of the batch, and for the runs the number of its last event.
 */
function eraseSql({ events, runs, application }: PostgresTables, column: 'organization_id' | 'entity') {
  const found = `SELECT event.seq, event.endpoint, event.event_id FROM ${events} AS event
  WHERE event.application = ${application} AND event.${column} = (SELECT $1::text) AND event.${column} IS NOT NULL
    AND event.seq > (SELECT $3::bigint)`;
  const isAsked = '($2::text IS NULL OR event.endpoint = $2::text)';
  const ofEvent = `run.application = ${application} AND run.endpoint = found.endpoint AND run.event_id = found.event_id`;
  const isIt = `event.application = ${application} AND event.endpoint = found.endpoint AND event.event_id = found.event_id`;
  // LIMIT makes Postgres look them up by their key. Events are locked in key order, as by all statements, so that none deadlock.
  const leftOf = (lock: string) => `found CROSS JOIN LATERAL (
    SELECT run.endpoint, run.event_id, run.handler_id FROM ${runs} AS run
    WHERE ${ofEvent} AND run.erased_at IS NULL
    ORDER BY run.handler_id LIMIT 1000 ${lock}
  ) AS run`;
  return {
    events: `
WITH found AS MATERIALIZED (
  ${found}
  ORDER BY event.seq LIMIT $4::integer
), locked AS MATERIALIZED (
  SELECT event.endpoint, event.event_id FROM (SELECT * FROM found ORDER BY endpoint, event_id) AS found
  CROSS JOIN LATERAL (
    SELECT event.endpoint, event.event_id FROM ${events} AS event
    WHERE ${isIt} AND ${isAsked} AND event.erased_at IS NULL LIMIT 1 FOR NO KEY UPDATE
  ) AS event
), erased AS (
  UPDATE ${events} AS event SET payload = NULL, delivery = NULL, drops_payload = NULL, erased_at = clock_timestamp()
  FROM locked AS found
  WHERE ${isIt} AND event.erased_at IS NULL
  RETURNING 1
)
SELECT (SELECT count(*) FROM found)::float8 AS seen, (SELECT max(seq) FROM found)::text AS last,
  (SELECT count(*) FROM erased)::float8 AS erased`,
    runs: `
WITH found AS MATERIALIZED (
  ${found} AND event.seq <= (SELECT $4::bigint) AND ${isAsked}
), locked AS MATERIALIZED (
  SELECT run.* FROM ${leftOf('FOR UPDATE SKIP LOCKED')}
), erased AS (
  UPDATE ${runs} AS run SET erased_at = clock_timestamp(), error_message = CASE
    WHEN run.error_name = '${KEPT_ERROR}' THEN run.error_message WHEN run.error_name IS NOT NULL THEN '' END
  FROM locked AS found
  WHERE ${ofEvent} AND run.handler_id = found.handler_id
  RETURNING 1
)
SELECT (SELECT count(*) FROM ${leftOf('')})::float8 - (SELECT count(*) FROM erased)::float8 AS runs_left`,
  };
}
