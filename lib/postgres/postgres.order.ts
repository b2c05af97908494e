import { toStorableText } from '../errors/safe-text.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { Admission, InboxEntity, InboxLease } from '../inbox/inbox-store.js';
import { entityKey } from '../inbox/run-states.js';
import type { PostgresConnection } from './postgres.connection.js';
import { toKey } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import { firstSql } from './postgres.work.js';
import { toLeasedRun } from './postgres.writes.js';

/** What handlers need that depend on the order of events. */
export class PostgresOrder {
  readonly #statements: Readonly<Record<'admit' | 'endTurn' | 'wake', string>>;

  constructor(
    tables: PostgresTables,
    private readonly connection: PostgresConnection,
  ) {
    this.#statements = Object.freeze({
      admit: admitSql(tables),
      endTurn: endTurnSql(tables),
      wake: wakeSql(tables),
    });
  }

  /** See `InboxStore.admit`. */
  async admit(key: InboxKey, handlerId: string, lease: InboxLease, entity: InboxEntity): Promise<Admission> {
    const name = entityKey(key, handlerId, entity.name);
    const values = [...toLeasedRun(key, handlerId, lease), name, entity.occurredAt];
    const [row] = await this.connection.ask(this.#statements.admit, values);
    return row?.admission === 'admitted' || row?.admission === 'stale' ? row.admission : 'busy';
  }

  /** See `InboxWorkStore.endTurn`. */
  async endTurn(key: InboxKey, handlerId: string, orderKey: string, { token }: InboxLease): Promise<boolean> {
    const values = [...toKey(key), toStorableText(handlerId), orderKey, toStorableText(token)];
    const [row] = await this.connection.ask(this.#statements.endTurn, values);
    return row?.is_due === true;
  }

  /** Runs of an event were dismissed, so that those behind them can be taken. */
  async wake(key: InboxKey): Promise<void> {
    await this.connection.ask(this.#statements.wake, toKey(key));
  }
}

/**
 * Lets a run have an entity: see `InboxStore.admit`.
 *
 * Values: endpoint, event id, handler id, lease token, key of the entity, and when the event happened, in µs. Returns one
 * row with the `admission`.
 */
function admitSql({ runs, entities, application }: PostgresTables): string {
  const isOfHandler = `run.application = ${application} AND run.endpoint = $1::text AND run.handler_id = $3::text`;
  const isOwn = `${isOfHandler} AND run.event_id = $2::text AND run.state = 'running' AND run.lease_token = $4::text`;
  const hasEnded = 'run.lease_ends_at <= clock_timestamp()';
  // `seen` reads the entity and its last run in one snapshot. The entity is written only if it is still as it was seen, so
  // that what was concluded from the run holds: an attempt that has ended never begins again. A lease that has ended could
  // still be extended, so `fenced` checks that run again while it locks it.
  return `
WITH seen AS MATERIALIZED (
  SELECT entity.event_id, entity.lease_token, run.state, ${hasEnded} AS has_ended,
    greatest(entity.done_at, CASE WHEN run.state = 'done' AND entity.event_id <> $2::text THEN entity.occurred_at END) AS done_at,
    EXISTS (SELECT FROM ${runs} AS run WHERE ${isOwn} AND NOT ${hasEnded}) AS is_held
  FROM (SELECT $5::text AS name) AS asked
  LEFT JOIN ${entities} AS entity ON entity.application = ${application} AND entity.name = asked.name
  LEFT JOIN ${runs} AS run
    ON ${isOfHandler} AND run.event_id = entity.event_id AND run.lease_token = entity.lease_token
), judged AS MATERIALIZED (
  SELECT seen.*, CASE
    WHEN NOT is_held THEN 'busy'
    WHEN done_at > $6::float8 THEN 'stale'
    WHEN event_id = $2::text OR state IS DISTINCT FROM 'running' THEN 'free'
    WHEN has_ended THEN 'ended'
    ELSE 'busy'
  END AS verdict
  FROM seen
), fenced AS (
  UPDATE ${runs} AS run SET lease_token = ''
  FROM judged
  WHERE judged.verdict = 'ended' AND ${isOfHandler} AND run.event_id = judged.event_id
    AND run.state = 'running' AND run.lease_token = judged.lease_token AND ${hasEnded}
  RETURNING run.event_id
), admitted AS (
  INSERT INTO ${entities} AS entity
    (application, name, endpoint, handler_id, event_id, lease_token, occurred_at, done_at, admitted_at)
  SELECT ${application}, $5::text, $1::text, $3::text, $2::text, $4::text, $6::float8, judged.done_at, clock_timestamp()
  FROM judged
  WHERE judged.verdict = 'free' OR EXISTS (SELECT FROM fenced)
  ON CONFLICT (application, name) DO UPDATE SET
    event_id = excluded.event_id, lease_token = excluded.lease_token, occurred_at = excluded.occurred_at,
    done_at = excluded.done_at, admitted_at = excluded.admitted_at
  WHERE entity.event_id = (SELECT event_id FROM judged) AND entity.lease_token = (SELECT lease_token FROM judged)
  RETURNING entity.event_id
), noted AS (
  UPDATE ${runs} AS run SET note = CASE judged.verdict WHEN 'stale' THEN 'stale' END
  FROM judged
  WHERE ${isOwn} AND (judged.verdict = 'stale' OR run.note IS NOT NULL)
)
SELECT CASE
  WHEN judged.verdict = 'stale' THEN 'stale'
  WHEN EXISTS (SELECT FROM admitted) THEN 'admitted'
  ELSE 'busy'
END AS admission
FROM judged`;
}

/** Deletes the entities that no run has had since `bound`, an SQL expression, unless a run has one now. */
export function forgetEntitiesSql({ runs, entities, application }: PostgresTables, bound: string): string {
  return `DELETE FROM ${entities} AS entity
  WHERE entity.application = ${application} AND entity.admitted_at < ${bound}
    AND NOT EXISTS (
      SELECT FROM ${runs} AS run
      WHERE run.application = entity.application AND run.endpoint = entity.endpoint AND run.event_id = entity.event_id
        AND run.handler_id = entity.handler_id AND run.lease_token = entity.lease_token
        AND run.state = 'running' AND run.lease_ends_at > clock_timestamp()
    )`;
}

/**
 * The attempt at a run with a place has been settled: see `InboxWorkStore.endTurn`. A key without runs is never due, and
 * is deleted with old events.
 *
 * Values: endpoint, event id, handler id, order key, lease token. Returns a row with `is_due` if the lease had the turn.
 */
function endTurnSql(tables: PostgresTables): string {
  const { keys, application } = tables;
  const isIt = `key.application = ${application} AND key.endpoint = $1::text AND key.handler_id = $3::text AND key.order_key = $4::text`;
  // A run that was handed over in the meantime is not seen, but has changed the version.
  return `
WITH seen AS MATERIALIZED (
  SELECT key.version, first.due_at
  FROM ${keys} AS key LEFT JOIN LATERAL (${firstSql(tables, 'key')}) AS first ON true
  WHERE ${isIt}
), ended AS (
  UPDATE ${keys} AS key SET
    version = key.version + 1, event_id = NULL, lease_token = NULL,
    due_at = CASE WHEN key.version <> seen.version THEN clock_timestamp() ELSE coalesce(seen.due_at, 'infinity') END
  FROM seen
  WHERE ${isIt} AND key.event_id = $2::text AND key.lease_token = $5::text
  RETURNING key.due_at <= clock_timestamp() AS is_due
)
SELECT is_due FROM ended`;
}

/** Makes the keys of an event's runs due. Values: endpoint, event id. */
function wakeSql({ runs, keys, application }: PostgresTables): string {
  return `
WITH woken AS (
  UPDATE ${keys} AS key SET version = key.version + 1, due_at = least(key.due_at, clock_timestamp())
  FROM ${runs} AS run
  WHERE run.application = ${application} AND run.endpoint = $1::text AND run.event_id = $2::text
    AND key.application = run.application AND key.endpoint = run.endpoint AND key.handler_id = run.handler_id
    AND key.order_key = run.order_key AND key.lease_token IS NULL
)
SELECT true AS written`;
}

/** Deletes the keys without runs: they are never due, or have been due since `bound`, an SQL expression, without a worker. */
export function forgetKeysSql(tables: PostgresTables, bound: string): string {
  const { keys, application } = tables;
  return `DELETE FROM ${keys} AS key
  WHERE key.application = ${application} AND (
    key.due_at = 'infinity' OR key.due_at < ${bound} AND NOT EXISTS (${firstSql(tables, 'key')})
  )`;
}
