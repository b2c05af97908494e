import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import { refuseSetting } from '../errors/settings.js';
import {
  DEFAULT_PAGE_SIZE,
  type InboxEntry,
  type InboxFilter,
  type InboxPage,
  type InboxPageRequest,
  type InboxRun,
  type InboxRunCount,
  RUN_STATES,
  type RunNote,
  type RunState,
} from '../inbox/inbox-queries.js';
import { type RunClaim } from '../inbox/inbox-store.js';
import type { PostgresConnection } from './postgres.connection.js';
import { MESSAGES } from './postgres.messages.js';
import type { PostgresTables } from './postgres.schema.js';
import type { PostgresRow } from './postgres-queryable.js';

interface PostgresQuery {
  readonly text: string;
  readonly values: unknown[];
}

/** One entry. Values: endpoint, event id. */
export function getSql(tables: PostgresTables): string {
  return `${entriesSql(tables)}
WHERE event.application = ${tables.application} AND event.endpoint = $1::text AND event.event_id = $2::text`;
}

/** The payload of an event, as base64. Values: endpoint, event id. */
export function payloadSql({ events, application }: PostgresTables): string {
  return `
SELECT encode(payload, 'base64') AS payload FROM ${events}
WHERE application = ${application} AND endpoint = $1::text AND event_id = $2::text`;
}

/** How many runs are in which state. An index has the runs that are not done. */
export async function readStats(
  connection: PostgresConnection,
  { events, runs, application }: PostgresTables,
  endpoint?: string,
  states: readonly RunState[] = RUN_STATES,
): Promise<readonly InboxRunCount[]> {
  const rows = await connection.query(
    `SELECT run.endpoint, run.handler_id, run.state, count(*)::float8 AS runs,
  floor(extract(epoch FROM min(event.received_at)) * 1000)::float8 AS oldest_received_at
FROM ${runs} AS run
JOIN ${events} AS event
  ON event.application = run.application AND event.endpoint = run.endpoint AND event.event_id = run.event_id
WHERE run.application = ${application} AND (run.endpoint = $1::text OR $1::text IS NULL)
  ${states.includes('done') ? '' : "AND run.state <> 'done'"}
GROUP BY run.endpoint, run.handler_id, run.state`,
    [endpoint === undefined ? null : toStorableText(endpoint)],
  );
  return rows.map(toRunCount).filter(({ state }) => states.includes(state));
}

/** A page of the entries that match. */
export async function readPage(
  connection: PostgresConnection,
  tables: PostgresTables,
  filter: InboxFilter,
  { limit = DEFAULT_PAGE_SIZE, cursor = '0' }: InboxPageRequest,
): Promise<InboxPage> {
  if (!/^\d{1,18}$/.test(cursor)) refuseSetting('cursor', MESSAGES.cursorInvalid(cursor));
  const { text, values } = filterQuery(tables, filter, [cursor, limit + 1]);
  const rows = await connection.query(
    `${entriesSql(tables)}
WHERE event.application = ${tables.application} AND event.seq > 0 AND event.seq > $1::bigint${text}
ORDER BY event.seq
LIMIT $2::integer`,
    values,
  );
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return { entries: shown.map(toInboxEntry), ...(last && { nextCursor: String(last.seq) }) };
}

/** How many entries match. */
export async function readCount(
  connection: PostgresConnection,
  tables: PostgresTables,
  filter: InboxFilter,
): Promise<number> {
  const { text, values } = filterQuery(tables, filter, []);
  const [row] = await connection.query(
    `
SELECT count(*)::float8 AS entries FROM ${tables.events} AS event
WHERE event.application = ${tables.application}${text}`,
    values,
  );
  return Number(row?.entries);
}

/** Runs are selected as JSON text and times as milliseconds: these look the same with any type parsers of the client. */
function entriesSql({ events, runs }: PostgresTables): string {
  const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::float8`;
  return `
SELECT event.seq::text AS seq, event.endpoint, event.event_id, event.type, event.occurred_at,
  event.organization_id, event.entity, ${ms('event.received_at')} AS received_at,
  coalesce((
    SELECT json_agg(json_build_object(
      'handlerId', run.handler_id, 'state', run.state, 'attempts', run.attempts,
      'updatedAt', ${ms('run.updated_at')}, 'errorName', run.error_name, 'errorMessage', run.error_message,
      'note', run.note
    ) ORDER BY run.handler_id)
    FROM ${runs} AS run
    WHERE run.application = event.application AND run.endpoint = event.endpoint AND run.event_id = event.event_id
  ), '[]')::text AS runs
FROM ${events} AS event`;
}

/** The conditions of a filter, to follow a WHERE clause that uses `firstValues`. */
function filterQuery(
  { runs }: PostgresTables,
  filter: InboxFilter,
  firstValues: readonly unknown[],
): PostgresQuery {
  const values = [...firstValues];
  const bind = (value: string) => `$${values.push(toStorableText(value))}::text`;
  let text = '';
  if (filter.endpoint !== undefined) text += ` AND event.endpoint = ${bind(filter.endpoint)}`;
  if (filter.type !== undefined) text += ` AND event.type = ${bind(filter.type)}`;
  if (filter.state !== undefined) {
    text += ` AND EXISTS (SELECT FROM ${runs} AS run
  WHERE run.application = event.application AND run.endpoint = event.endpoint AND run.event_id = event.event_id
    AND run.state = ${bind(filter.state)})`;
  }
  return { text, values };
}

/** Reads a row of the claim statement. */
export function toRunClaim(row: PostgresRow): RunClaim {
  switch (row.state) {
    case 'claimed':
      return { state: 'claimed', attempt: Number(row.attempts) };
    case 'queued':
    case 'done':
    case 'dead':
      return { state: row.state };
    default:
      // The lease can end while the statement runs.
      return { state: 'running', leaseEndsInMs: Math.max(1, Number(row.lease_ends_in_ms)) };
  }
}

function toRunCount(row: PostgresRow): InboxRunCount {
  return {
    endpoint: textOf(row, 'endpoint'),
    handlerId: textOf(row, 'handler_id'),
    state: RUN_STATES.find((state) => state === row.state) ?? 'failed',
    count: Number(row.runs),
    oldestReceivedAt: new Date(Number(row.oldest_received_at)),
  };
}

export function toInboxEntry(row: PostgresRow): InboxEntry {
  const runs: StoredRun[] = JSON.parse(String(row.runs));
  return {
    endpoint: textOf(row, 'endpoint'),
    eventId: textOf(row, 'event_id'),
    type: textOf(row, 'type'),
    occurredAt: textOf(row, 'occurred_at'),
    ...(typeof row.organization_id === 'string' && { organizationId: textOf(row, 'organization_id') }),
    ...(typeof row.entity === 'string' && { entity: textOf(row, 'entity') }),
    receivedAt: new Date(Number(row.received_at)),
    runs: runs.map(toInboxRun),
  };
}

/** A run in the JSON of {@link entriesSql}. */
interface StoredRun {
  readonly handlerId: string;
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
  readonly note: RunNote | null;
}

function toInboxRun(run: StoredRun): InboxRun {
  const { handlerId, state, attempts, updatedAt, errorName, errorMessage, note } = run;
  return {
    handlerId: fromStorableText(handlerId),
    state,
    attempts,
    updatedAt: new Date(updatedAt),
    ...(errorName !== null && {
      error: { name: fromStorableText(errorName), message: fromStorableText(errorMessage ?? '') },
    }),
    ...(note !== null && state === 'done' && { note }),
  };
}

/** The value of a text column. */
export function textOf(row: PostgresRow, column: string): string {
  return fromStorableText(String(row[column]));
}
