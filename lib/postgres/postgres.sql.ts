import { getSql, payloadSql, statsSql } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { TRANSACTION_MARK } from './postgres.transaction.js';

/**
 * The store's statements. Each one is a SELECT at the top level, even if it writes: clients such as TypeORM return the rows
 * of other commands in other shapes.
 */
export function postgresStatements(tables: PostgresTables) {
  return Object.freeze({
    claim: claimSql(tables),
    settle: settleSql(tables),
    settleOne: settleOneSql(tables),
    complete: completeSql(tables),
    reopen: reopenSql(tables),
    dismiss: dismissSql(tables),
    stats: statsSql(tables),
    get: getSql(tables),
    payload: payloadSql(tables),
    ping: `SELECT count(application)::float8 FROM ${tables.events} WHERE false`,
  });
}

/**
 * Records the event and claims the runs that can be claimed.
 *
 * Values: endpoint, event id, type, occurred at, payload, delivery or NULL, handler ids, lease token, lease in ms, token to
 * take over or NULL, and when workers may take the runs over, in ms, or NULL if the claim does not hand them over.
 *
 * Returns, for each handler, `claimed` with its attempt, or the state that prevented a claim. It returns both if the run
 * became claimable during the statement, and nothing if another transaction changed the run during the statement: claim
 * again for that handler.
 */
function claimSql({ events, runs, application }: PostgresTables): string {
  // A worker takes the attempt over, or the claim is repeated because its response was lost.
  const goesOn = "(run.state = 'running' AND run.lease_token IN ($8::text, $10::text))";
  const isClaimable = `(
      run.state = 'failed'
      OR run.state = 'queued' AND $10::text IS NOT NULL
      OR run.state = 'running' AND run.lease_ends_at <= clock_timestamp()
      OR ${goesOn}
    )`;
  // The ORDER BY makes all claims lock rows in the same order, so that two of them cannot deadlock.
  // DO UPDATE sees each row as it is when it is locked. The last SELECT sees it as it was when the statement began.
  return `
WITH recorded AS (
  ${recordSql(events, application)}
), claimed AS (
  INSERT INTO ${runs} AS run
    (application, endpoint, event_id, handler_id, state, attempts, updated_at, lease_token, lease_ends_at, due_at)
  SELECT ${application}, $1::text, $2::text, asked.handler_id, 'running', 1, clock_timestamp(), $8::text,
    ${inMs('$9::float8')}, ${inMs('$11::float8')}
  FROM unnest($7::text[]) AS asked (handler_id)
  ORDER BY asked.handler_id COLLATE "C"
  ON CONFLICT (application, endpoint, event_id, handler_id) DO UPDATE SET
    state = 'running',
    attempts = run.attempts + CASE WHEN ${goesOn} THEN 0 ELSE 1 END,
    updated_at = clock_timestamp(),
    lease_token = $8::text,
    lease_ends_at = ${inMs('$9::float8')},
    due_at = CASE WHEN run.due_at IS NULL THEN ${inMs('$11::float8')}
      ELSE ${inMs('coalesce($11::float8, $9::float8)')} END,
    worker_attempts = CASE WHEN ${goesOn} THEN run.worker_attempts ELSE 0 END,
    error_name = NULL,
    error_message = NULL
  WHERE ${isClaimable}
  RETURNING run.handler_id, run.attempts
)
SELECT handler_id, 'claimed' AS state, attempts, NULL::float8 AS lease_ends_in_ms
FROM claimed
UNION ALL
SELECT run.handler_id, run.state, NULL,
  ceil(extract(epoch FROM run.lease_ends_at - clock_timestamp()) * 1000)::float8
FROM ${runs} AS run
WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = ANY ($7::text[])
  AND ${isClaimable} IS NOT TRUE`;
}

/** Records the event, if it is new. Values: endpoint, event id, type, occurred at, payload, delivery or NULL. */
export function recordSql(events: string, application: string): string {
  return `INSERT INTO ${events} (application, endpoint, event_id, type, occurred_at, payload, delivery)
  VALUES (${application}, $1::text, $2::text, $3::text, $4::text, $5::bytea, $6::text)
  ON CONFLICT (application, endpoint, event_id) DO NOTHING`;
}

/** A time so many ms from now; NULL for NULL. */
export function inMs(ms: string): string {
  return `clock_timestamp() + ${ms} * interval '1 millisecond'`;
}

/**
 * Records how several runs ended.
 *
 * Values: endpoint, event id, lists of handler ids, states, error names, error messages and waits of workers in ms, and the
 * lease token.
 * Returns the ids of the handlers that were written.
 */
function settleSql({ runs, application }: PostgresTables): string {
  const settlement = {
    state: 'ended.state',
    errorName: 'ended.error_name',
    errorMessage: 'ended.error_message',
    retryInMs: 'ended.retry_in_ms',
  };
  return `
WITH given AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::float8[])
    AS given (handler_id, state, error_name, error_message, retry_in_ms)
), ended AS (
  SELECT given.*
  FROM ${runs} AS run JOIN given ON given.handler_id = run.handler_id
  WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND ${belongsToLease('given.state')}
  ORDER BY run.handler_id
  FOR UPDATE OF run
), written AS (
  UPDATE ${runs} AS run SET${assignments(settlement)}
  FROM ended
  WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = ended.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM written`;
}

/**
 * Records how one run ended. A single row needs no lock order and no join, so this is cheaper than {@link settleSql}.
 *
 * Values: as for {@link settleSql}, with single values instead of lists.
 */
function settleOneSql({ runs, application }: PostgresTables): string {
  const settlement = {
    state: '$4::text',
    errorName: '$5::text',
    errorMessage: '$6::text',
    retryInMs: '$7::float8',
  };
  return `
WITH written AS (
  UPDATE ${runs} AS run SET${assignments(settlement)}
  WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = $3::text
    AND ${belongsToLease(settlement.state)}
  RETURNING run.handler_id
)
SELECT handler_id FROM written`;
}

/** A settlement, as SQL expressions. */
interface SettlementSql {
  readonly state: string;
  readonly errorName: string;
  readonly errorMessage: string;
  readonly retryInMs: string;
}

/** A run keeps its lease token, so that {@link belongsToLease} recognizes a settlement that is repeated. */
function assignments({ state, errorName, errorMessage, retryInMs }: SettlementSql): string {
  const whileRunning = (value: string, column: string) =>
    `CASE WHEN run.state = 'running' THEN ${value} ELSE run.${column} END`;
  const uncounted = `CASE WHEN ${state} = 'queued' AND ${errorName} IS NULL THEN 1 ELSE 0 END`;
  const dueAt = `CASE WHEN ${state} IN ('failed', 'queued') AND run.due_at IS NOT NULL
      THEN ${inMs(`coalesce(${retryInMs}, 0)`)} END`;
  return `
    state = ${state},
    attempts = ${whileRunning(`run.attempts - ${uncounted}`, 'attempts')},
    worker_attempts = ${whileRunning(`greatest(0, run.worker_attempts - ${uncounted})`, 'worker_attempts')},
    due_at = ${whileRunning(dueAt, 'due_at')},
    updated_at = ${whileRunning('clock_timestamp()', 'updated_at')},
    lease_ends_at = NULL,
    error_name = ${whileRunning(errorName, 'error_name')},
    error_message = ${whileRunning(errorMessage, 'error_message')}`;
}

/**
 * A settlement that is repeated, because its response was lost, finds the run in its state. So does the settlement after
 * `complete`.
 */
function belongsToLease(state: string): string {
  return `run.lease_token = $8::text AND run.state IN ('running', ${state})`;
}

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
