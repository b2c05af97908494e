import type { PostgresTables } from './postgres.tables.js';

/**
 * Records how runs ended. Values: endpoint, event id, then of each run handler id, state, error name and message, at
 * last the lease token. Rows: the handler ids that were written.
 */
export function settleSql({ runs }: PostgresTables): string {
  // A row that complete() wrote keeps the token of its lease, so that the settlement that follows finds it.
  return `
WITH ended AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])
    AS ended (handler_id, state, error_name, error_message)
), owned AS (
  SELECT ended.*
  FROM ${runs} AS run JOIN ended ON ended.handler_id = run.handler_id
  WHERE run.endpoint = $1::text AND run.event_id = $2::text AND run.lease_token = $7::text
    AND (run.state = 'running' OR run.state = 'done' AND ended.state = 'done')
  ORDER BY run.handler_id
  FOR UPDATE OF run
), written AS (
  UPDATE ${runs} AS run SET
    state = owned.state,
    attempts = run.attempts - CASE WHEN owned.state = 'queued' AND owned.error_name IS NULL THEN 1 ELSE 0 END,
    updated_at = clock_timestamp(),
    lease_token = NULL,
    lease_ends_at = NULL,
    error_name = owned.error_name,
    error_message = owned.error_message
  FROM owned
  WHERE run.endpoint = $1::text AND run.event_id = $2::text AND run.handler_id = owned.handler_id
  RETURNING run.handler_id
)
SELECT handler_id FROM written ORDER BY handler_id`;
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
