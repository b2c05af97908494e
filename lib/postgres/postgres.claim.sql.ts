import type { PostgresTables } from './postgres.tables.js';

/**
 * Records the event and claims what can be claimed, in one statement.
 *
 * Values: endpoint, event id, type, occurred at, payload, handler ids, lease token, lease in ms, token taken over or NULL.
 * Rows: of each handler `claimed` with its attempt, or the state that keeps it from being claimed; both where it became
 * claimable meanwhile. There is none for a handler that another transaction changed since this statement began: ask again
 * for that one.
 */
export function claimSql({ events, runs }: PostgresTables): string {
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
