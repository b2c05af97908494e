import type { PostgresTables } from './postgres.tables.js';

/** From when on events are kept: a time in ms since 1970, or an age in ms by the server's clock. */
export type PruneBound = 'time' | 'age';

const BOUNDS: Readonly<Record<PruneBound, string>> = {
  time: 'to_timestamp($1::float8 / 1000)',
  age: "clock_timestamp() - $1::float8 * interval '1 millisecond'",
};

/**
 * Forgets a batch of old events. Values: the bound, how many at most. One row: how many were looked at (fewer than the
 * most: there are no more), and how many of them were forgotten.
 */
export function pruneSql({ events, runs }: PostgresTables, bound: PruneBound): string {
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
