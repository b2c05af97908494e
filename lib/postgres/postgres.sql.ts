import { KEPT_ERROR } from '../inbox/run-states.js';
import { getSql } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { TRANSACTION_MARK } from './postgres-queryable.js';

/**
 * The store's statements. Each one is a SELECT at the top level, even if it writes: clients such as TypeORM return the rows
 * of other commands in other shapes.
 */
export function postgresStatements(tables: PostgresTables, dropsPayloads = false) {
  return Object.freeze({
    claim: claimSql(tables, dropsPayloads),
    settle: settleSql(tables),
    complete: completeSql(tables),
    reopen: reopenSql(tables),
    dismiss: dismissSql(tables),
    get: getSql(tables),
  });
}

/**
 * Records events and claims their runs, for several deliveries at once.
 *
 * Values: a lock timeout, and as JSON the runs, as `ClaimRow`, and the events, as `EventRow`; see {@link givenSql}.
 *
 * Returns, for each run, `claimed` with its attempt, or the state that prevented a claim. It returns nothing for a run that
 * became claimable during the statement, or if another transaction inserted it or its event: claim that run again.
 */
function claimSql(tables: PostgresTables, dropsPayloads: boolean): string {
  const { runs, application } = tables;
  const given = (column: string) =>
    `(SELECT asked.${column} FROM asked WHERE ${isRunOf('asked', application)})`;
  const takesOver = given('takes_over');
  // DO UPDATE sees each row as it is when it is locked. The last SELECT sees it as it was when the statement began.
  return `
WITH asked AS MATERIALIZED (
  ${givenSql('$2', CLAIM_COLUMNS)}
), ${recordSql(tables, dropsPayloads)}, claimed AS (
  INSERT INTO ${runs} AS run
    (application, endpoint, event_id, seq, handler_id, state, attempts, updated_at, lease_token, lease_ends_at, due_at)
  SELECT ${application}, endpoint, event_id, known.seq, handler_id, 'running', 1, clock_timestamp(), lease_token,
    ${inMs('lease_ms')}, ${inMs('retry_in_ms')}
  FROM asked JOIN known USING (endpoint, event_id)
  ${IN_KEY_ORDER}
  ON CONFLICT (application, endpoint, event_id, handler_id) DO UPDATE SET
    state = 'running',
    attempts = run.attempts + CASE WHEN ${goesOn('excluded.lease_token', takesOver)} THEN 0 ELSE 1 END,
    updated_at = clock_timestamp(),
    lease_token = excluded.lease_token,
    lease_ends_at = excluded.lease_ends_at,
    due_at = CASE WHEN run.due_at IS NULL THEN excluded.due_at
      ELSE coalesce(excluded.due_at, excluded.lease_ends_at) END,
    worker_attempts = CASE WHEN ${goesOn('excluded.lease_token', takesOver)} THEN run.worker_attempts ELSE 0 END,
    error_name = NULL,
    error_message = NULL
  WHERE ${isClaimable('excluded.lease_token', takesOver, given('takes_queued'))}
  RETURNING run.endpoint, run.event_id, run.handler_id, run.attempts
)
SELECT endpoint, event_id, handler_id, 'claimed' AS state, attempts, NULL::float8 AS lease_ends_in_ms
FROM claimed
UNION ALL
SELECT run.endpoint, run.event_id, run.handler_id, run.state, NULL,
  ceil(extract(epoch FROM run.lease_ends_at - clock_timestamp()) * 1000)::float8
FROM asked ${asItWas(runs, application)}
WHERE ${isNotIn('claimed')} AND ${isClaimable('asked.lease_token', 'asked.takes_over', 'asked.takes_queued')} IS NOT TRUE`;
}

/** The properties of `ClaimRow`. */
const CLAIM_COLUMNS =
  'endpoint text, event_id text, handler_id text, lease_token text, lease_ms float8, takes_over text, takes_queued boolean, retry_in_ms float8';

/** Makes all statements lock rows in the same order, so that two of them cannot deadlock. */
export const IN_KEY_ORDER =
  'ORDER BY asked.endpoint COLLATE "C", asked.event_id COLLATE "C", asked.handler_id COLLATE "C"';

/**
 * Reads rows from a value that is JSON, because every client can pass that on.
 *
 * The statement then waits for locks for $1 at most, such as 100ms, and not for as long as the connection would. $1 can be
 * NULL.
 */
export function givenSql(value: string, columns: string): string {
  return `SELECT given.*
  FROM (SELECT CASE WHEN $1::text IS NOT NULL THEN set_config('lock_timeout', $1::text, true) END) AS patience
  CROSS JOIN json_to_recordset(${value}::text::json) AS given (${columns})`;
}

/**
 * Records the events that are new. Value: the events as JSON, as `EventRow`. `known` has the number of each event of a run
 * that is `asked` for, unless another transaction inserted the event during the statement.
 *
 * If payloads are dropped, an event with a run that is not done gets its payload again. Its row is written even if it still
 * has it, so that a statement that is about to drop it notices: see `dropSql`.
 */
export function recordSql({ events, runs, application }: PostgresTables, dropsPayloads: boolean): string {
  const copied = 'endpoint, event_id, type, occurred_at, organization_id, entity, delivery';
  const columns = [...copied.split(', '), 'payload'].map((name) => `${name} text`).join(', ');
  const order = 'endpoint COLLATE "C", event_id COLLATE "C"';
  const isNeeded = `EXISTS (
    SELECT FROM asked
    LEFT JOIN ${runs} AS run ON ${isRunOf('asked', application)}
    WHERE asked.endpoint = event.endpoint AND asked.event_id = event.event_id AND run.state IS DISTINCT FROM 'done'
  )`;
  const ifKnown = dropsPayloads
    ? `UPDATE SET
    payload = coalesce(event.payload, excluded.payload), delivery = coalesce(event.delivery, excluded.delivery),
    drops_payload = true
  WHERE event.erased_at IS NULL AND ${isNeeded}`
    : 'NOTHING';
  return `recorded AS (
  INSERT INTO ${events} AS event (application, ${copied}, payload${dropsPayloads ? ', drops_payload' : ''})
  SELECT ${dropsPayloads ? `DISTINCT ON (${order}) ` : ''}${application}, ${copied}, decode(payload, 'base64')${dropsPayloads ? ', true' : ''}
  FROM (${givenSql('$3', columns)}) AS given
  ORDER BY ${order}
  ON CONFLICT (application, endpoint, event_id) DO ${ifKnown}
  RETURNING endpoint, event_id, seq
), known AS (
  SELECT endpoint, event_id, seq FROM recorded
  UNION ${dropsPayloads ? '' : 'ALL'}
  SELECT event.endpoint, event.event_id, event.seq
  FROM (SELECT DISTINCT endpoint, event_id FROM asked) AS asked
  CROSS JOIN LATERAL (
    SELECT * FROM ${events} AS event
    WHERE event.application = ${application} AND event.endpoint = asked.endpoint AND event.event_id = asked.event_id
    LIMIT 1
  ) AS event
)`;
}

/** Whether `run` is the run that a row is about. */
export function isRunOf(row: string, application: string): string {
  return `run.application = ${application} AND run.endpoint = ${row}.endpoint AND run.event_id = ${row}.event_id
    AND run.handler_id = ${row}.handler_id`;
}

/** Each run that is `asked` for, as it was when the statement began. LIMIT makes Postgres look it up by its key. */
export function asItWas(runs: string, application: string): string {
  return `CROSS JOIN LATERAL (
  SELECT * FROM ${runs} AS run WHERE ${isRunOf('asked', application)} LIMIT 1
) AS run`;
}

/** Whether a run that is `asked` for is not among the given runs. */
export function isNotIn(runs: string): string {
  return `(asked.endpoint, asked.event_id, asked.handler_id) NOT IN (SELECT endpoint, event_id, handler_id FROM ${runs})`;
}

/** Whether a claim continues an attempt: a worker takes it over, or the claim is repeated because its response was lost. */
function goesOn(token: string, takesOver: string): string {
  return `(run.state = 'running' AND (run.lease_token = ${token} OR run.lease_token = ${takesOver}))`;
}

function isClaimable(token: string, takesOver: string, takesQueued: string): string {
  return `(
    run.state = 'failed'
    OR run.state = 'queued' AND (${takesOver} IS NOT NULL OR ${takesQueued})
    OR run.state = 'running' AND run.lease_ends_at <= clock_timestamp()
    OR ${goesOn(token, takesOver)}
  )`;
}

/** A time this many ms from now; NULL for NULL. */
export function inMs(ms: string): string {
  return `clock_timestamp() + ${ms} * interval '1 millisecond'`;
}

/**
 * Records how runs ended, for several deliveries at once.
 *
 * Values: a lock timeout, and as JSON the settlements, as `SettlementRow`; see {@link givenSql}. Returns the runs that were
 * written.
 */
function settleSql({ events, runs, application }: PostgresTables): string {
  const whileRunning = (value: string, column: string) =>
    `CASE WHEN run.state = 'running' THEN ${value} ELSE run.${column} END`;
  const uncounted = "CASE WHEN excluded.state = 'queued' AND excluded.error_name IS NULL THEN 1 ELSE 0 END";
  // Entries are erased before their runs. A run that the statement that erases runs did not see yet is settled by a statement
  // that sees the erased entry.
  const isErased = `(SELECT event.erased_at IS NOT NULL FROM ${events} AS event WHERE event.application = ${application}
      AND event.endpoint = asked.endpoint AND event.event_id = asked.event_id)`;
  const message = `CASE WHEN asked.error_message <> '' AND asked.error_name <> '${KEPT_ERROR}' AND ${isErased} THEN ''
      ELSE asked.error_message END`;
  const kept = `CASE WHEN run.erased_at IS NULL OR excluded.error_name = '${KEPT_ERROR}' THEN excluded.error_message
      WHEN excluded.error_name IS NOT NULL THEN '' END`;
  const dueAt = `CASE WHEN excluded.state IN ('failed', 'queued') AND run.due_at IS NOT NULL THEN excluded.due_at END`;
  // Each of these runs exists, so nothing is inserted. Unlike a join, ON CONFLICT locks the rows in the given order, and finds
  // them by their key whatever Postgres knows of the table.
  //
  // A settlement that is repeated, because its response was lost, finds the run in its state. So does the one after
  // `complete`. A run keeps its lease token, so that they are recognized.
  return `
WITH asked AS (
  ${givenSql('$2', SETTLEMENT_COLUMNS)}
), written AS (
  INSERT INTO ${runs} AS run
    (application, endpoint, event_id, seq, handler_id, lease_token, state, attempts, updated_at, due_at, error_name, error_message)
  SELECT ${application}, asked.endpoint, asked.event_id, run.seq, asked.handler_id, asked.lease_token, asked.state, 0,
    clock_timestamp(), ${inMs('coalesce(asked.retry_in_ms, 0)')}, asked.error_name, ${message}
  FROM asked ${asItWas(runs, application)}
  ${IN_KEY_ORDER}
  ON CONFLICT (application, endpoint, event_id, handler_id) DO UPDATE SET
    state = excluded.state,
    attempts = ${whileRunning(`run.attempts - ${uncounted}`, 'attempts')},
    worker_attempts = ${whileRunning(`greatest(0, run.worker_attempts - ${uncounted})`, 'worker_attempts')},
    due_at = ${whileRunning(dueAt, 'due_at')},
    updated_at = ${whileRunning('clock_timestamp()', 'updated_at')},
    lease_ends_at = NULL,
    error_name = ${whileRunning('excluded.error_name', 'error_name')},
    error_message = ${whileRunning(kept, 'error_message')}
  WHERE run.lease_token = excluded.lease_token AND run.state IN ('running', excluded.state)
  RETURNING run.endpoint, run.event_id, run.handler_id
)
SELECT endpoint, event_id, handler_id FROM written`;
}

/** The properties of `SettlementRow`. */
const SETTLEMENT_COLUMNS = `endpoint text, event_id text, handler_id text, lease_token text, state text, error_name text,
    error_message text, retry_in_ms float8`;

/**
 * Records a run as done, inside the transaction that has the mark. See `completeRun`.
 *
 * Values: endpoint, event id, handler id, lease token, mark. Returns one row with the `outcome`: `completed`, `lease lost`,
 * or `no transaction`.
 */
function completeSql({ runs, application }: PostgresTables): string {
  const mark = `current_setting('${TRANSACTION_MARK}', true)`;
  return `
WITH completed AS (
  UPDATE ${runs} SET
    state = 'done', updated_at = clock_timestamp(), lease_ends_at = NULL, due_at = NULL,
    error_name = NULL, error_message = NULL
  WHERE application = ${application} AND endpoint = $1::text AND event_id = $2::text AND handler_id = $3::text AND lease_token = $4::text
    AND state = 'running' AND ${mark} = $5::text
  RETURNING handler_id
)
SELECT CASE
  WHEN ${mark} IS DISTINCT FROM $5::text THEN 'no transaction'
  WHEN EXISTS (SELECT FROM completed) THEN 'completed'
  ELSE 'lease lost'
END AS outcome`;
}

/**
 * Makes runs claimable again.
 *
 * Values: endpoint, event id, handler ids or NULL. Returns the ids of the handlers that were changed.
 */
function reopenSql({ runs, application }: PostgresTables): string {
  return `
WITH wanted AS (
  SELECT handler_id
  FROM ${runs}
  WHERE application = ${application} AND endpoint = $1::text AND event_id = $2::text
    AND (handler_id = ANY ($3::text[]) OR $3::text[] IS NULL AND state <> 'done')
    AND NOT (state = 'running' AND lease_ends_at > clock_timestamp())
  ORDER BY handler_id
  FOR UPDATE
), reopened AS (
  UPDATE ${runs} AS run SET
    state = 'failed', updated_at = clock_timestamp(), lease_token = NULL, lease_ends_at = NULL,
    due_at = CASE WHEN run.due_at IS NOT NULL THEN clock_timestamp() END, worker_attempts = 0
  FROM wanted
  WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = wanted.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM reopened ORDER BY handler_id`;
}

/**
 * Makes dead and failed runs done. They keep their error.
 *
 * Values: endpoint, event id, handler ids or NULL. Returns the ids of the handlers that were changed.
 */
function dismissSql({ runs, application }: PostgresTables): string {
  const isOfEvent = `run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text`;
  return `
WITH wanted AS (
  SELECT run.handler_id
  FROM ${runs} AS run
  WHERE ${isOfEvent} AND run.state IN ('dead', 'failed') AND (run.handler_id = ANY ($3::text[]) OR $3::text[] IS NULL)
  ORDER BY run.handler_id
  FOR UPDATE
), dismissed AS (
  UPDATE ${runs} AS run SET
    state = 'done', updated_at = clock_timestamp(), lease_token = NULL, lease_ends_at = NULL, due_at = NULL
  FROM wanted
  WHERE ${isOfEvent} AND run.handler_id = wanted.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM dismissed ORDER BY handler_id`;
}
