import type { InboxFilter } from '../inbox/inbox-store.js';
import type { PostgresTables } from './postgres.tables.js';
import { toPostgresText } from './postgres.text.js';

/** A statement and its values. */
export interface PostgresQuery {
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
