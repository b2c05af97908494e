import type { PostgresTables } from './postgres.tables.js';

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
export function settleSql({ runs }: PostgresTables): string {
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
export function settleOneSql({ runs }: PostgresTables): string {
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
export function completeSql({ runs }: PostgresTables): string {
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
export function reopenSql({ runs }: PostgresTables): string {
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
