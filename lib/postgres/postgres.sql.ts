import { getSql, payloadSql } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';

/**
 * Records the event and claims what can be claimed, in one statement.
 *
 * Values: endpoint, event id, type, occurred at, payload, handler ids, lease token, lease in ms, token taken over or NULL.
 * Rows: of each handler `claimed` with its attempt, or the state that keeps it from being claimed; both where it became
 * claimable meanwhile. There is none for a handler that another transaction changed since this statement began: ask again
 * for that one.
 */
function claimSql({ events, runs }: PostgresTables): string {
  const isClaimable = `(
      run.state = 'failed'
      OR run.state = 'queued' AND $9::text IS NOT NULL
      OR run.state = 'running' AND (run.lease_ends_at <= clock_timestamp() OR run.lease_token = $9::text)
    )`;
  // Rows are inserted, and with that locked, in the order of their ids: two claims can wait for each other in no circle.
  // The condition of DO UPDATE sees the row as it is once locked; the last SELECT sees it as it was when the statement began.
  return `
WITH recorded AS (
  INSERT INTO ${events} (endpoint, event_id, type, occurred_at, payload)
  VALUES ($1::text, $2::text, $3::text, $4::text, $5::bytea)
  ON CONFLICT (endpoint, event_id) DO NOTHING
), claimed AS (
  INSERT INTO ${runs} AS run
    (endpoint, event_id, handler_id, state, attempts, updated_at, lease_token, lease_ends_at)
  SELECT $1::text, $2::text, asked.handler_id, 'running', 1, clock_timestamp(), $7::text,
    clock_timestamp() + $8::float8 * interval '1 millisecond'
  FROM unnest($6::text[]) AS asked (handler_id)
  ORDER BY asked.handler_id COLLATE "C"
  ON CONFLICT (endpoint, event_id, handler_id) DO UPDATE SET
    state = 'running',
    attempts = run.attempts + CASE WHEN run.state = 'running' AND run.lease_token = $9::text THEN 0 ELSE 1 END,
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
WHERE run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = ANY ($6::text[])
  AND ${isClaimable} IS NOT TRUE`;
}

/** How a run ended, as SQL expressions. */
interface EndedSql {
  readonly state: string;
  readonly errorName: string;
  readonly errorMessage: string;
}

function settledColumns({ state, errorName, errorMessage }: EndedSql): string {
  return `
    state = ${state},
    attempts = run.attempts - CASE WHEN ${state} = 'queued' AND ${errorName} IS NULL THEN 1 ELSE 0 END,
    updated_at = clock_timestamp(),
    lease_token = NULL,
    lease_ends_at = NULL,
    error_name = ${errorName},
    error_message = ${errorMessage}`;
}

/** A row that complete() wrote keeps the token of its lease, so that the settlement that follows finds it. */
function isOwned(state: string): string {
  return `run.lease_token = $7::text AND (run.state = 'running' OR run.state = 'done' AND ${state} = 'done')`;
}

/**
 * Records how several runs ended. Values: endpoint, event id, then of each run handler id, state, error name and message,
 * at last the lease token. Rows: the handler ids that were written.
 */
function settleSql({ runs }: PostgresTables): string {
  const ended = { state: 'ended.state', errorName: 'ended.error_name', errorMessage: 'ended.error_message' };
  return `
WITH given AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
    AS given (handler_id, state, error_name, error_message)
), ended AS (
  SELECT given.*
  FROM ${runs} AS run JOIN given ON given.handler_id = run.handler_id
  WHERE run.endpoint = $1::text AND run.event_id = $2::text AND ${isOwned('given.state')}
  ORDER BY run.handler_id
  FOR UPDATE OF run
), written AS (
  UPDATE ${runs} AS run SET${settledColumns(ended)}
  FROM ended
  WHERE run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = ended.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM written`;
}

/**
 * Records how one run ended: for a single row there is no order of locks to keep, and nothing to join.
 * Values and rows as those of {@link settleSql}, with the run's own values in the place of lists.
 */
function settleOneSql({ runs }: PostgresTables): string {
  const ended = { state: '$4::text', errorName: '$5::text', errorMessage: '$6::text' };
  return `
WITH written AS (
  UPDATE ${runs} AS run SET${settledColumns(ended)}
  WHERE run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = $3::text
    AND ${isOwned(ended.state)}
  RETURNING run.handler_id
)
SELECT handler_id FROM written`;
}

/** Records one success. Values: endpoint, event id, handler id, lease token. No row where the lease is lost. */
function completeSql({ runs }: PostgresTables): string {
  return `
WITH completed AS (
  UPDATE ${runs} SET
    state = 'done', updated_at = clock_timestamp(), lease_ends_at = NULL, error_name = NULL, error_message = NULL
  WHERE endpoint = $1::text AND event_id = $2::text AND handler_id = $3::text AND lease_token = $4::text
    AND state IN ('running', 'done')
  RETURNING handler_id
)
SELECT handler_id FROM completed`;
}

/** Makes rows claimable again. Values: endpoint, event id, handler ids or NULL. Rows: the ids that were changed. */
function reopenSql({ runs }: PostgresTables): string {
  return `
WITH wanted AS (
  SELECT handler_id
  FROM ${runs}
  WHERE endpoint = $1::text AND event_id = $2::text
    AND (handler_id = ANY ($3::text[]) OR $3::text[] IS NULL AND state <> 'done')
    AND NOT (state = 'running' AND lease_ends_at > clock_timestamp())
  ORDER BY handler_id
  FOR UPDATE
), reopened AS (
  UPDATE ${runs} AS run SET
    state = 'failed', updated_at = clock_timestamp(), lease_token = NULL, lease_ends_at = NULL
  FROM wanted
  WHERE run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = wanted.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM reopened ORDER BY handler_id`;
}

/** From when on events are kept: a time in ms since 1970, or an age in ms by the server's clock. */
type PruneBound = 'time' | 'age';

const BOUNDS: Readonly<Record<PruneBound, string>> = {
  time: 'to_timestamp($1::float8 / 1000)',
  age: "clock_timestamp() - $1::float8 * interval '1 millisecond'",
};

/**
 * Forgets a batch of old events. Values: the bound, how many at most. One row: how many were looked at (fewer than the
 * most: there are no more), and how many of them were forgotten.
 */
function pruneSql({ events, runs }: PostgresTables, bound: PruneBound): string {
  const isRunning = "run.state = 'running' AND run.lease_ends_at > clock_timestamp()";
  const isItsRun = 'run.endpoint = event.endpoint AND run.event_id = event.event_id';
  // `held` locks the rows and sees them as they are then: a run that was claimed meanwhile keeps its event.
  return `
WITH old AS MATERIALIZED (
  SELECT event.endpoint, event.event_id
  FROM ${events} AS event
  WHERE event.received_at < ${BOUNDS[bound]}
    AND NOT EXISTS (SELECT FROM ${runs} AS run WHERE ${isItsRun} AND ${isRunning})
  ORDER BY event.received_at
  LIMIT $2::integer
  FOR UPDATE OF event SKIP LOCKED
), held AS MATERIALIZED (
  SELECT run.endpoint, run.event_id, run.state, run.lease_ends_at
  FROM ${runs} AS run JOIN old AS event ON ${isItsRun}
  FOR UPDATE OF run
), forgotten AS (
  DELETE FROM ${events} AS event
  USING old
  WHERE event.endpoint = old.endpoint AND event.event_id = old.event_id
    AND NOT EXISTS (SELECT FROM held AS run WHERE ${isItsRun} AND ${isRunning})
  RETURNING 1
)
SELECT (SELECT count(*) FROM old)::float8 AS seen, (SELECT count(*) FROM forgotten)::float8 AS forgotten`;
}

/**
 * The store's statements, made once. Each is a SELECT at its top, whatever it writes below: clients such as TypeORM give
 * the rows of other commands in other shapes.
 */
export function postgresStatements(tables: PostgresTables) {
  return Object.freeze({
    claim: claimSql(tables),
    settle: settleSql(tables),
    settleOne: settleOneSql(tables),
    complete: completeSql(tables),
    reopen: reopenSql(tables),
    get: getSql(tables),
    payload: payloadSql(tables),
    pruneByTime: pruneSql(tables, 'time'),
    pruneByAge: pruneSql(tables, 'age'),
    ping: `SELECT count(*)::float8 FROM ${tables.events} WHERE false`,
  });
}

export type PostgresStatements = ReturnType<typeof postgresStatements>;
