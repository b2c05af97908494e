import { toStorableText } from '../errors/safe-text.js';
import type { DueRequest } from '../inbox/inbox-work.js';
import type { StoredDueRuns, StoredRun } from '../inbox/payload-protection.js';
import { textOf } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { asItWas, givenSql, IN_KEY_ORDER, inMs, isNotIn, recordSql } from './postgres.sql.js';
import { toDelivery } from './postgres.texts.js';
import type { PostgresRow } from './postgres-queryable.js';

// Postgres plans a statement once if its limit is a part of it, and each time if the limit is a value, which takes longer than
// taking the runs. Each limit is a statement of its own, so this is not for large ones.
const LARGEST_PLANNED = 20;

/** The statements for workers. */
export function workStatements(tables: PostgresTables, dropsPayloads = false) {
  const { pauses, application } = tables;
  return Object.freeze({
    enqueue: enqueueSql(tables, dropsPayloads),
    takeDue: takeDueTexts(tables),
    extend: extendSql(tables),
    stranded: strandedSql(tables),
    isPaused: `SELECT endpoint FROM ${pauses} WHERE application = ${application} AND endpoint = $1::text`,
    pause: `WITH paused AS (
  INSERT INTO ${pauses} (application, endpoint) VALUES (${application}, $1::text) ON CONFLICT DO NOTHING
) SELECT true AS written`,
    resume: `WITH resumed AS (
  DELETE FROM ${pauses} WHERE application = ${application} AND endpoint = $1::text
) SELECT true AS written`,
  });
}

/**
 * Records events, and hands their runs to the workers, some of them with a place, for several deliveries at once.
 *
 * Values: a lock timeout, and as JSON the runs, as `QueuedRow`, and the events, as `EventRow`; see `givenSql`. Returns the
 * state of each run, and nothing for a run if another transaction inserted it or its event during the statement.
 */
function enqueueSql(tables: PostgresTables, dropsPayloads: boolean): string {
  const { runs, keys, application } = tables;
  // Keys are locked before runs, as when runs are taken, so that no statements deadlock. A new version tells a statement that
  // takes runs that it does not see all of them.
  return `
WITH asked AS MATERIALIZED (
  ${givenSql('$2', 'endpoint text, event_id text, handler_id text, order_key text, order_at float8')}
), ${recordSql(tables, dropsPayloads)}, woken AS (
  INSERT INTO ${keys} AS key (application, endpoint, handler_id, order_key, due_at)
  SELECT ${application}, endpoint, handler_id, order_key, clock_timestamp()
  FROM asked WHERE order_key IS NOT NULL
  GROUP BY endpoint, handler_id, order_key
  ORDER BY endpoint COLLATE "C", handler_id COLLATE "C", order_key COLLATE "C"
  ON CONFLICT (application, endpoint, handler_id, order_key) DO UPDATE SET
    version = key.version + 1,
    due_at = CASE WHEN key.lease_token IS NULL THEN least(key.due_at, clock_timestamp()) ELSE key.due_at END
  RETURNING key.handler_id
), handed_over AS (
  INSERT INTO ${runs} AS run
    (application, endpoint, event_id, seq, handler_id, state, attempts, updated_at, due_at, order_key, order_at)
  SELECT ${application}, endpoint, event_id, known.seq, handler_id, 'queued', 0, clock_timestamp(), clock_timestamp(),
    order_key, order_at
  FROM asked JOIN known USING (endpoint, event_id) WHERE (SELECT count(*) FROM woken) >= 0
  ${IN_KEY_ORDER}
  ON CONFLICT (application, endpoint, event_id, handler_id) DO UPDATE SET
    state = CASE run.state WHEN 'failed' THEN 'queued' ELSE run.state END,
    updated_at = CASE run.state WHEN 'running' THEN run.updated_at ELSE clock_timestamp() END,
    due_at = greatest(run.lease_ends_at, clock_timestamp()),
    order_key = excluded.order_key, order_at = excluded.order_at
  WHERE run.due_at IS NULL AND run.state IN ('queued', 'running', 'failed')
  RETURNING run.endpoint, run.event_id, run.handler_id, run.state
)
SELECT endpoint, event_id, handler_id, state FROM handed_over
UNION ALL
SELECT run.endpoint, run.event_id, run.handler_id, run.state
FROM asked ${asItWas(runs, application)}
WHERE ${isNotIn('handed_over')}`;
}

/** The statements that take due runs, by their limit, and one that takes its limit as a value. */
interface TakeDueTexts {
  readonly withLimit: ReadonlyMap<number, string>;
  readonly anyLimit: string;
}

function takeDueTexts(tables: PostgresTables): TakeDueTexts {
  const limits = Array.from({ length: LARGEST_PLANNED }, (_, index) => index + 1);
  return {
    withLimit: new Map(limits.map((limit) => [limit, takeDueSql(tables, String(limit))])),
    anyLimit: takeDueSql(tables, '$5::integer'),
  };
}

/**
 * Takes due runs. It reads at most as many of each handler as it takes in all, whatever the number of those that wait, and
 * passes over rows that others have locked.
 *
 * Values: endpoint, handler ids, lease token, lease in ms, and the limit if it is `$5`. Returns a row for each run, or
 * a single one without a run; both say whether the endpoint is paused.
 */
function takeDueSql(tables: PostgresTables, limit: string): string {
  const { events, runs, pauses, application } = tables;
  const leaseEndsAt = inMs('$4::float8');
  const turns = turnsSql(tables, leaseEndsAt, limit);
  const isItsRun =
    'run.application = due.application AND run.endpoint = due.endpoint AND run.event_id = due.event_id AND run.handler_id = due.handler_id';
  // statement_timestamp(), because an index condition cannot use clock_timestamp(). The ids are in a query, because otherwise
  // Postgres would plan the statement again each time.
  return `
WITH pause AS MATERIALIZED (
  SELECT EXISTS (SELECT FROM ${pauses} WHERE application = ${application} AND endpoint = $1::text) AS is_paused
), ${turns.looked}, due AS MATERIALIZED (
  SELECT waiting.*
  FROM unnest((SELECT $2::text[])) AS known (handler_id)
  CROSS JOIN LATERAL (
    SELECT run.application, run.endpoint, run.event_id, run.handler_id, run.order_key, run.error_name, run.error_message, run.due_at
    FROM ${runs} AS run
    WHERE run.application = ${application} AND run.endpoint = $1::text AND run.handler_id = known.handler_id
      AND run.due_at <= statement_timestamp() AND run.order_key IS NULL
      AND (run.state IN ('queued', 'failed') OR run.state = 'running' AND run.lease_ends_at <= statement_timestamp())
    ORDER BY run.due_at
    LIMIT ${limit}
    FOR UPDATE SKIP LOCKED
  ) AS waiting
  WHERE NOT (SELECT is_paused FROM pause)
  UNION ALL
  ${turns.due}
  ORDER BY due_at
  LIMIT ${limit}
), taken AS (
  UPDATE ${runs} AS run SET
    state = 'running', attempts = run.attempts + 1, worker_attempts = run.worker_attempts + 1, updated_at = clock_timestamp(),
    lease_token = $3::text, lease_ends_at = ${leaseEndsAt}, due_at = ${leaseEndsAt},
    error_name = NULL, error_message = NULL
  FROM due
  WHERE ${isItsRun} AND run.due_at <= statement_timestamp()
  RETURNING run.application, run.endpoint, run.event_id, run.handler_id, run.order_key, run.attempts, run.worker_attempts,
    due.error_name, due.error_message
), ${turns.moved}
SELECT pause.is_paused, run.handler_id, run.order_key, run.attempts, run.worker_attempts, run.error_name, run.error_message,
  event.endpoint, event.event_id, event.type, event.occurred_at, encode(event.payload, 'base64') AS payload, event.delivery,
  floor(extract(epoch FROM event.received_at) * 1000)::float8 AS received_at
FROM pause LEFT JOIN (
  taken AS run JOIN ${events} AS event
    ON event.application = run.application AND event.endpoint = run.endpoint AND event.event_id = run.event_id
) ON true`;
}

/**
 * The parts of the statement that takes due runs which are about runs with a place. `$1` is the endpoint, `$2` the handler
 * ids, and `$3` the token of the lease.
 */
function turnsSql(tables: PostgresTables, leaseEndsAt: string, limit: string) {
  const { runs, keys, application } = tables;
  const isItsKey = (other: string) =>
    ['application', 'endpoint', 'handler_id', 'order_key']
      .map((name) => `key.${name} = ${other}.${name}`)
      .join(' AND ');
  return {
    // The statement sees runs as they were when it began, but a key as it is when it is locked. It leaves alone a key whose
    // version shows that its runs may have changed since.
    looked: `due_keys AS MATERIALIZED (
  SELECT waiting.*
  FROM unnest((SELECT $2::text[])) AS known (handler_id)
  CROSS JOIN LATERAL (
    SELECT key.*
    FROM ${keys} AS key
    WHERE key.application = ${application} AND key.endpoint = $1::text AND key.handler_id = known.handler_id
      AND key.due_at <= statement_timestamp()
    ORDER BY key.due_at
    LIMIT ${limit}
    FOR UPDATE SKIP LOCKED
  ) AS waiting
  WHERE NOT (SELECT is_paused FROM pause)
), looked_at AS MATERIALIZED (
  SELECT locked.*, first.event_id AS first_event_id, coalesce(last.lease_ends_at, first.due_at) AS next_at
  FROM due_keys AS locked
  JOIN ${keys} AS key ON ${isItsKey('locked')} AND key.version = locked.version
  LEFT JOIN ${runs} AS last
    ON last.application = locked.application AND last.endpoint = locked.endpoint AND last.event_id = locked.event_id
      AND last.handler_id = locked.handler_id AND last.state = 'running' AND last.lease_ends_at > statement_timestamp()
  LEFT JOIN LATERAL (${firstSql(tables, 'locked')}) AS first ON last.event_id IS NULL
), turns AS MATERIALIZED (
  SELECT run.application, run.endpoint, run.event_id, run.handler_id, run.order_key, run.error_name, run.error_message,
    looked_at.due_at
  FROM looked_at
  JOIN ${runs} AS run
    ON run.application = looked_at.application AND run.endpoint = looked_at.endpoint
      AND run.event_id = looked_at.first_event_id AND run.handler_id = looked_at.handler_id
  WHERE looked_at.next_at <= statement_timestamp() AND run.due_at <= statement_timestamp()
  FOR UPDATE OF run SKIP LOCKED
)`,
    due: 'SELECT * FROM turns',
    moved: `begun AS (
  UPDATE ${keys} AS key SET
    version = key.version + 1, event_id = taken.event_id, lease_token = $3::text, due_at = ${leaseEndsAt}
  FROM taken
  WHERE ${isItsKey('taken')}
), put_off AS (
  UPDATE ${keys} AS key SET
    version = key.version + 1, due_at = looked_at.next_at,
    lease_token = CASE WHEN looked_at.first_event_id IS NULL THEN key.lease_token END
  FROM looked_at
  WHERE ${isItsKey('looked_at')} AND looked_at.next_at > statement_timestamp()
), emptied AS (
  DELETE FROM ${keys} AS key
  USING looked_at
  WHERE ${isItsKey('looked_at')} AND looked_at.next_at IS NULL
)`,
  };
}

/** The run that comes first of an order key. */
export function firstSql({ runs }: PostgresTables, key: string): string {
  return `
    SELECT run.event_id, run.due_at
    FROM ${runs} AS run
    WHERE run.application = ${key}.application AND run.endpoint = ${key}.endpoint AND run.handler_id = ${key}.handler_id
      AND run.order_key = ${key}.order_key AND run.due_at IS NOT NULL AND run.order_key IS NOT NULL
    ORDER BY run.order_at, run.event_id
    LIMIT 1
  `;
}

/** Renews the lease of a run. Values: endpoint, event id, handler id, lease token, lease in ms. */
function extendSql({ runs, application }: PostgresTables): string {
  return `
WITH extended AS (
  UPDATE ${runs} AS run SET
    lease_ends_at = ${inMs('$5::float8')},
    due_at = CASE WHEN run.due_at IS NOT NULL THEN ${inMs('$5::float8')} END
  WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = $3::text
    AND run.state = 'running' AND run.lease_token = $4::text
  RETURNING run.handler_id
)
SELECT handler_id FROM extended`;
}

/** Counts the due runs of other handlers. Values: endpoint, handler ids, since how many ms they are due. */
function strandedSql({ runs, application }: PostgresTables): string {
  // Each kind of runs has an index.
  const ofKind = (kind: string) => `SELECT handler_id FROM ${runs}
  WHERE application = ${application} AND endpoint = $1::text AND handler_id <> ALL ($2::text[])
    AND due_at <= statement_timestamp() - $3::float8 * interval '1 millisecond' AND order_key IS ${kind}`;
  return `
SELECT handler_id, count(*)::float8 AS runs
FROM (
  ${ofKind('NULL')}
  UNION ALL
  ${ofKind('NOT NULL')}
) AS due
GROUP BY handler_id`;
}

/** Reads the rows of the statement that counts runs. */
export function toRunCounts(rows: readonly PostgresRow[]): ReadonlyMap<string, number> {
  return new Map(rows.map((row) => [textOf(row, 'handler_id'), Number(row.runs)]));
}

/** One of the statements that take due runs, and its values. */
export function takeDueStatement(
  { withLimit, anyLimit }: TakeDueTexts,
  { endpoint, handlerIds, limit, lease }: DueRequest,
): [text: string, values: unknown[]] {
  const ids = handlerIds.map(toStorableText);
  const values = [toStorableText(endpoint), ids, toStorableText(lease.token), lease.durationMs];
  const text = withLimit.get(limit);
  return text === undefined ? [anyLimit, [...values, limit]] : [text, values];
}

/** Reads the rows of the statement that takes due runs. */
export function toDueRuns(rows: readonly PostgresRow[]): StoredDueRuns {
  const taken = rows.filter((row) => row.handler_id !== null);
  return { runs: taken.map(toDueRun), isPaused: rows[0]?.is_paused === true };
}

function toDueRun(row: PostgresRow): StoredRun {
  const delivery = toDelivery(row);
  return {
    endpoint: textOf(row, 'endpoint'),
    eventId: textOf(row, 'event_id'),
    type: textOf(row, 'type'),
    occurredAt: textOf(row, 'occurred_at'),
    ...(typeof row.payload === 'string' && { payload: Buffer.from(row.payload, 'base64') }),
    ...(delivery && { delivery }),
    receivedAt: new Date(Number(row.received_at)),
    handlerId: textOf(row, 'handler_id'),
    attempt: Number(row.attempts),
    workerAttempt: Number(row.worker_attempts),
    ...(typeof row.error_name === 'string' && {
      lastError: { name: textOf(row, 'error_name'), message: textOf(row, 'error_message') },
    }),
    ...(typeof row.order_key === 'string' && { orderKey: row.order_key }),
  };
}
