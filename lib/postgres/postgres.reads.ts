import type { InboxEntry, InboxFilter, InboxRun, RunClaim, RunState } from '../inbox/inbox-store.js';
import type { PostgresTables } from './postgres.schema.js';
import type { PostgresRow } from './postgres-queryable.js';

/** A statement and its values. */
interface PostgresQuery {
  readonly text: string;
  readonly values: unknown[];
}

/** Times are read as ms, and runs as JSON text: the same from every client, whatever type parsers it has. */
const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::float8`;

function entriesSql({ events, runs }: PostgresTables): string {
  return `
SELECT event.seq::text AS seq, event.endpoint, event.event_id, event.type, event.occurred_at,
  ${ms('event.received_at')} AS received_at,
  coalesce((
    SELECT json_agg(json_build_object(
      'handlerId', run.handler_id, 'state', run.state, 'attempts', run.attempts,
      'updatedAt', ${ms('run.updated_at')}, 'errorName', run.error_name, 'errorMessage', run.error_message
    ) ORDER BY run.handler_id)
    FROM ${runs} AS run
    WHERE run.endpoint = event.endpoint AND run.event_id = event.event_id
  ), '[]')::text AS handlers
FROM ${events} AS event`;
}

/** One entry. Values: endpoint, event id. */
export function getSql(tables: PostgresTables): string {
  return `${entriesSql(tables)}
WHERE event.endpoint = $1::text AND event.event_id = $2::text`;
}

/** The bytes of one event, as base64. Values: endpoint, event id. */
export function payloadSql({ events }: PostgresTables): string {
  return `SELECT encode(payload, 'base64') AS payload FROM ${events} WHERE endpoint = $1::text AND event_id = $2::text`;
}

/** Entries that match, after the cursor, at most `limit`. */
export function listQuery(
  tables: PostgresTables,
  filter: InboxFilter,
  cursor: string,
  limit: number,
): PostgresQuery {
  const { text, values } = whereQuery(tables, filter, [cursor, limit]);
  return {
    text: `${entriesSql(tables)}
WHERE event.seq > $1::bigint${text}
ORDER BY event.seq
LIMIT $2::integer`,
    values,
  };
}

/** How many entries match. */
export function countQuery(tables: PostgresTables, filter: InboxFilter): PostgresQuery {
  const { text, values } = whereQuery(tables, filter, []);
  return {
    text: `SELECT count(*)::float8 AS entries FROM ${tables.events} AS event WHERE true${text}`,
    values,
  };
}

function whereQuery({ runs }: PostgresTables, filter: InboxFilter, first: readonly unknown[]): PostgresQuery {
  const values = [...first];
  const bind = (value: string) => `$${values.push(toPostgresText(value))}::text`;
  let text = '';
  if (filter.endpoint !== undefined) text += ` AND event.endpoint = ${bind(filter.endpoint)}`;
  if (filter.type !== undefined) text += ` AND event.type = ${bind(filter.type)}`;
  if (filter.state !== undefined) {
    text += ` AND EXISTS (SELECT FROM ${runs} AS run
  WHERE run.endpoint = event.endpoint AND run.event_id = event.event_id AND run.state = ${bind(filter.state)})`;
  }
  return { text, values };
}

/** A run as `json_build_object` gives it. */
interface StoredRun {
  readonly handlerId: string;
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
}

/** A text column. */
export function textOf(row: PostgresRow, column: string): string {
  return fromPostgresText(String(row[column]));
}

/** An entry as people read it. */
export function toInboxEntry(row: PostgresRow): InboxEntry {
  const runs: StoredRun[] = JSON.parse(String(row.handlers));
  return {
    endpoint: textOf(row, 'endpoint'),
    eventId: textOf(row, 'event_id'),
    type: textOf(row, 'type'),
    occurredAt: textOf(row, 'occurred_at'),
    receivedAt: new Date(Number(row.received_at)),
    runs: runs.map(toHandlerRow),
  };
}

/** What the claim statement says of one handler. */
export function toHandlerClaim(row: PostgresRow): RunClaim {
  switch (row.state) {
    case 'claimed':
      return { state: 'claimed', attempt: Number(row.attempts) };
    case 'queued':
    case 'done':
    case 'dead':
      return { state: row.state };
    default:
      // It may have run out since the server looked.
      return { state: 'running', leaseEndsInMs: Math.max(1, Number(row.lease_ends_in_ms)) };
  }
}

function toHandlerRow({
  handlerId,
  state,
  attempts,
  updatedAt,
  errorName,
  errorMessage,
}: StoredRun): InboxRun {
  return {
    handlerId: fromPostgresText(handlerId),
    state,
    attempts,
    updatedAt: new Date(updatedAt),
    ...(errorName !== null && {
      error: { name: fromPostgresText(errorName), message: fromPostgresText(errorMessage ?? '') },
    }),
  };
}

const NUL = '\u0000';

/**
 * Text as Postgres can keep it. It takes neither U+0000 nor lone surrogates, and both may stand in JSON: they, and the
 * backslash that marks them, are escaped, so that different texts stay different.
 */
export function toPostgresText(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll(NUL, '\\u0000');
  return escaped.replace(/\p{Surrogate}/gu, (lone) => `\\u${lone.charCodeAt(0).toString(16)}`);
}

/** The text that {@link toPostgresText} was given. */
export function fromPostgresText(text: string): string {
  return text.replace(/\\(\\|u([0-9a-f]{4}))/g, (_, escaped: string, code?: string) =>
    code === undefined ? escaped : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
