import { getSql, payloadSql, statsSql } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { TRANSACTION_MARK } from './postgres.transaction.js';

export type PostgresStatements = ReturnType<typeof postgresStatements>;

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
    pruneByTime: pruneSql(tables, 'to_timestamp($1::float8 / 1000)'),
    pruneByAge: pruneSql(tables, "clock_timestamp() - $1::float8 * interval '1 millisecond'"),
    ping: `SELECT count(application)::float8 FROM ${tables.events} WHERE false`,
  });
}

/**
 * Records the event and claims the runs that can be claimed.
 *
 * Values: endpoint, event id, type, occurred at, payload, handler ids, lease token, lease in ms, token to take over or
 * NULL.
 *
 * Returns, for each handler, `claimed` with its attempt, or the state that prevented a claim. It returns both if the run
 * became claimable during the statement, and nothing if another transaction changed the run during the statement: claim
 * again for that handler.
 */
function claimSql({ events, runs, application }: PostgresTables): string {
  // A worker takes the attempt over, or the claim is repeated because its response was lost.
  const goesOn = "(run.state = 'running' AND run.lease_token IN ($7::text, $9::text))";
  const isClaimable = `(
      run.state = 'failed'
      OR run.state = 'queued' AND $9::text IS NOT NULL
      OR run.state = 'running' AND run.lease_ends_at <= clock_timestamp()
      OR ${goesOn}
    )`;
  // The ORDER BY makes all claims lock rows in the same order, so that two of them cannot deadlock.
  // DO UPDATE sees each row as it is when it is locked. The last SELECT sees it as it was when the statement began.
  return `
WITH recorded AS (
  INSERT INTO ${events} (application, endpoint, event_id, type, occurred_at, payload)
  VALUES (${application}, $1::text, $2::text, $3::text, $4::text, $5::bytea)
  ON CONFLICT (application, endpoint, event_id) DO NOTHING
), claimed AS (
  INSERT INTO ${runs} AS run
    (application, endpoint, event_id, handler_id, state, attempts, updated_at, lease_token, lease_ends_at)
  SELECT ${application}, $1::text, $2::text, asked.handler_id, 'running', 1, clock_timestamp(), $7::text,
    clock_timestamp() + $8::float8 * interval '1 millisecond'
  FROM unnest($6::text[]) AS asked (handler_id)
  ORDER BY asked.handler_id COLLATE "C"
  ON CONFLICT (application, endpoint, event_id, handler_id) DO UPDATE SET
    state = 'running',
    attempts = run.attempts + CASE WHEN ${goesOn} THEN 0 ELSE 1 END,
    updated_at = clock_timestamp(),
    lease_token = $7::text,
    lease_ends_at = clock_timestamp() + $8::float8 * interval '1 millisecond',
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
WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = ANY ($6::text[])
  AND ${isClaimable} IS NOT TRUE`;
}

/**
 * Records how several runs ended.
 *
 * Values: endpoint, event id, lists of handler ids, states, error names and error messages, lease token.
 * Returns the ids of the handlers that were written.
 */
function settleSql({ runs, application }: PostgresTables): string {
  const settlement = {
    state: 'ended.state',
    errorName: 'ended.error_name',
    errorMessage: 'ended.error_message',
  };
  return `
WITH given AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
    AS given (handler_id, state, error_name, error_message)
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
  const settlement = { state: '$4::text', errorName: '$5::text', errorMessage: '$6::text' };
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
}

/** A run keeps its lease token, so that {@link belongsToLease} recognizes a settlement that is repeated. */
function assignments({ state, errorName, errorMessage }: SettlementSql): string {
  const whileRunning = (value: string, column: string) =>
    `CASE WHEN run.state = 'running' THEN ${value} ELSE run.${column} END`;
  const startedAttempts = `run.attempts - CASE WHEN ${state} = 'queued' AND ${errorName} IS NULL THEN 1 ELSE 0 END`;
  return `
    state = ${state},
    attempts = ${whileRunning(startedAttempts, 'attempts')},
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
  return `run.lease_token = $7::text AND run.state IN ('running', ${state})`;
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
    state = 'done', updated_at = clock_timestamp(), lease_ends_at = NULL, error_name = NULL, error_message = NULL
  WHERE application = ${application} AND endpoint = $1::text AND event_id = $2::text AND handler_id = $3::text AND lease_token = $4::text
    AND state IN ('running', 'done') AND ${mark} = $5::text
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
    state = 'failed', updated_at = clock_timestamp(), lease_token = NULL, lease_ends_at = NULL
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
  UPDATE ${runs} AS run SET state = 'done', updated_at = clock_timestamp(), lease_token = NULL, lease_ends_at = NULL
  FROM wanted
  WHERE ${isOfEvent} AND run.handler_id = wanted.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM dismissed ORDER BY handler_id`;
}

/**
 * Deletes a batch of events that were received before `bound`, an SQL expression of $1.
 *
 * Values: the bound, the size of the batch. Returns how many events were `seen` (fewer than the batch if there are no
 * more) and how many of those were `forgotten`.
 */
function pruneSql({ events, runs, application }: PostgresTables, bound: string): string {
  const isRunning = "run.state = 'running' AND run.lease_ends_at > clock_timestamp()";
  const isItsRun =
    'run.application = event.application AND run.endpoint = event.endpoint AND run.event_id = event.event_id';
  // `held` locks the runs and reads their current state, so that an event that was claimed in between is kept.
  return `
WITH old AS MATERIALIZED (
  SELECT event.application, event.endpoint, event.event_id
  FROM ${events} AS event
  WHERE event.application = ${application} AND event.received_at < ${bound}
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
)
SELECT (SELECT count(*) FROM old)::float8 AS seen, (SELECT count(*) FROM forgotten)::float8 AS forgotten`;
}
