import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import { refuseSetting } from '../errors/settings.js';
import {
  countPages,
  DEFAULT_PAGE_SIZE,
  foldCase,
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRun,
  type InboxRunCount,
  RUN_STATES,
  type RunNote,
  type RunState,
  runMatches,
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
  return `${entriesSql(tables, `${tables.events} AS event`)}
WHERE event.application = ${tables.application} AND event.endpoint = $1::text AND event.event_id = $2::text`;
}

/** How many runs are in which state. An index has the runs that are not done. */
export async function readStats(
  connection: PostgresConnection,
  { events, runs, application }: PostgresTables,
  endpoint?: string,
  states: readonly RunState[] = RUN_STATES,
): Promise<readonly InboxRunCount[]> {
  const rows = await connection.query(
    `SELECT counted.*, floor(extract(epoch FROM event.received_at) * 1000)::float8 AS oldest_received_at
FROM (
  SELECT run.endpoint, run.handler_id, run.state, count(*)::float8 AS runs, min(run.seq) AS seq
  FROM ${runs} AS run
  WHERE run.application = ${application} AND (run.endpoint = $1::text OR $1::text IS NULL)
    ${states.includes('done') ? '' : "AND run.state <> 'done'"}
  GROUP BY run.endpoint, run.handler_id, run.state
) AS counted
CROSS JOIN LATERAL (
  SELECT received_at FROM ${events} AS event
  WHERE event.application = ${application} AND event.seq = counted.seq AND event.seq > 0
  LIMIT 1
) AS event`,
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
  const found: { readonly seq: string; readonly entry: InboxEntry }[] = [];
  let [after, isLast] = [cursor, false];
  while (!isLast && found.length <= limit) {
    const { text, values } = matchingSql(tables, filter, [after, limit + 1]);
    const rows = await connection.query(
      `WITH found AS MATERIALIZED (${text} ORDER BY seq LIMIT $2::integer)
${entriesSql(tables, `found CROSS JOIN LATERAL (${eventSql(tables, 'found')}) AS event`)}
ORDER BY event.seq`,
      values,
    );
    found.push(
      ...rows
        .map((row) => ({ seq: String(row.seq), entry: toInboxEntry(row) }))
        // Escaped characters can look like the text that an error has to contain.
        .filter(
          ({ entry }) => filter.error === undefined || entry.runs.some((run) => runMatches(filter, run)),
        ),
    );
    isLast = rows.length <= limit;
    after = String(rows.at(-1)?.seq);
  }
  const shown = found.slice(0, limit);
  const last = found.length > limit ? shown.at(-1) : undefined;
  return { entries: shown.map(({ entry }) => entry), ...(last && { nextCursor: last.seq }) };
}

/** How many entries match. */
export async function readCount(
  connection: PostgresConnection,
  tables: PostgresTables,
  filter: InboxFilter,
): Promise<number> {
  if (filter.error !== undefined) return countPages((page) => readPage(connection, tables, filter, page));
  const { text, values } = matchingSql(tables, filter, ['0'], true);
  const [row] = await connection.query(`SELECT count(*)::float8 AS entries FROM (${text}) AS found`, values);
  return Number(row?.entries);
}

/** Runs are selected as JSON text and times as milliseconds: these look the same with any type parsers of the client. */
function entriesSql({ runs }: PostgresTables, from: string): string {
  const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::float8`;
  return `
SELECT event.seq::text AS seq, event.endpoint, event.event_id, event.type, event.occurred_at,
  event.organization_id, event.entity, ${ms('event.received_at')} AS received_at,
  ${ms('event.erased_at')} AS erased_at,
  coalesce((
    SELECT json_agg(json_build_object(
      'handlerId', run.handler_id, 'state', run.state, 'attempts', run.attempts,
      'updatedAt', ${ms('run.updated_at')}, 'errorName', run.error_name, 'errorMessage', run.error_message,
      'note', run.note
    ) ORDER BY run.handler_id)
    FROM ${runs} AS run
    WHERE run.application = event.application AND run.endpoint = event.endpoint AND run.event_id = event.event_id
  ), '[]')::text AS runs
FROM ${from}`;
}

/** The event of a row. LIMIT makes Postgres look it up by its key. */
function eventSql({ events, application }: PostgresTables, row: string): string {
  return `SELECT * FROM ${events} AS event
  WHERE event.application = ${application} AND event.endpoint = ${row}.endpoint AND event.event_id = ${row}.event_id
  LIMIT 1`;
}

/**
 * Selects the keys of the events that match and come after $1, from the table whose index returns the fewest in their order.
 * An index is used only if its condition is repeated here. Nearly all entries have a run that is done, so that these are only
 * read from the runs if all of them have to be read, to be counted.
 */
function matchingSql(
  tables: PostgresTables,
  filter: InboxFilter,
  firstValues: readonly unknown[],
  isCounted = false,
): PostgresQuery {
  const { events, runs, application } = tables;
  const { endpoint, state, handler, error, organizationId, entity } = filter;
  const values = [...firstValues];
  // Postgres plans without the values of subqueries. A value that implies the condition of an index would let it use that one.
  const bind = (value: string) => `(SELECT $${values.push(toStorableText(value))}::text)`;
  const bindTime = (time: Date) => `(SELECT to_timestamp($${values.push(withinRange(time))}::float8 / 1000))`;
  const ofEvent = [
    ...(['type', 'organizationId', 'entity'] as const).flatMap((name) => {
      const value = filter[name];
      return value === undefined ? [] : `event.${EVENT_COLUMNS[name]} = ${bind(value)}`;
    }),
    ...(filter.receivedAfter ? [`event.received_at >= ${bindTime(filter.receivedAfter)}`] : []),
    ...(filter.receivedBefore ? [`event.received_at < ${bindTime(filter.receivedBefore)}`] : []),
  ];
  const needle = error === undefined ? '' : bind(foldCase(error));
  const ofRun = [
    ...(state === undefined ? [] : [`run.state = ${bind(state)}`]),
    ...(handler === undefined ? [] : [`run.handler_id = ${bind(handler)}`]),
    ...(error === undefined
      ? []
      : [
          `(${['run.error_name', 'run.error_message'].map((text) => `strpos(lower(${text} COLLATE "C"), ${needle}) > 0`).join(' OR ')})`,
        ]),
  ];
  const within = (table: string) => [
    `${table}.application = ${application}`,
    `${table}.seq > (SELECT $1::bigint)`,
    ...(endpoint === undefined ? [] : [`${table}.endpoint = ${bind(endpoint)}`]),
    ...receivedWithin(tables, filter, bindTime).map((bound) => `${table}.seq ${bound}`),
  ];
  const isRare = error !== undefined || (state !== undefined && state !== 'done');
  const isOfFew = entity !== undefined || (organizationId !== undefined && !isRare);
  if (!isOfFew && (isRare || handler !== undefined || (state !== undefined && isCounted))) {
    const index =
      error !== undefined ? 'run.error_name IS NOT NULL' : isRare ? "run.state <> 'done'" : 'run.seq > 0';
    const event = ofEvent.length === 0 ? '' : ` CROSS JOIN LATERAL (${eventSql(tables, 'run')}) AS event`;
    return {
      text: `SELECT DISTINCT ON (run.seq) run.seq, run.endpoint, run.event_id FROM ${runs} AS run${event}
WHERE ${[...within('run'), index, ...ofRun, ...ofEvent].join(' AND ')}`,
      values,
    };
  }
  // A subquery that returns a value is never turned into a join, whose order Postgres could change.
  const hasRun = `(SELECT true FROM ${runs} AS run
  WHERE run.application = event.application AND run.endpoint = event.endpoint AND run.event_id = event.event_id
    AND ${ofRun.join(' AND ')} LIMIT 1)`;
  const conditions = [...within('event'), ...(isOfFew ? [] : ['event.seq > 0']), ...ofEvent];
  if (ofRun.length > 0) conditions.push(hasRun);
  return {
    text: `SELECT event.seq, event.endpoint, event.event_id FROM ${events} AS event WHERE ${conditions.join(' AND ')}`,
    values,
  };
}

const EVENT_COLUMNS = { type: 'type', organizationId: 'organization_id', entity: 'entity' } as const;

// Of two events that arrive together, the one with the higher number can have the earlier time.
const MARGIN = "interval '1 minute'";

/** The bounds of the numbers of events that were received between two times. */
function receivedWithin(
  { events, application }: PostgresTables,
  { receivedAfter, receivedBefore }: InboxFilter,
  bindTime: (time: Date) => string,
): string[] {
  const event = `SELECT event.seq FROM ${events} AS event
  WHERE event.application = ${application} AND event.received_at > '-infinity' AND event.received_at`;
  const first = (time: Date) =>
    `> coalesce((${event} < ${bindTime(time)} - ${MARGIN} ORDER BY event.received_at DESC LIMIT 1), 0)`;
  const last = (time: Date) =>
    `< coalesce((${event} > ${bindTime(time)} + ${MARGIN} ORDER BY event.received_at LIMIT 1), ${Number.MAX_SAFE_INTEGER})`;
  return [
    ...(receivedAfter ? [first(receivedAfter)] : []),
    ...(receivedBefore ? [last(receivedBefore)] : []),
  ];
}

/** A time in ms that Postgres can represent: events are neither older nor newer. */
function withinRange(time: Date): number {
  return Math.max(0, time.getTime());
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
    ...(row.erased_at !== null && { erasedAt: new Date(Number(row.erased_at)) }),
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

export function toKey({ endpoint, eventId }: InboxKey): string[] {
  return [toStorableText(endpoint), toStorableText(eventId)];
}

/** The value of a text column. */
export function textOf(row: PostgresRow, column: string): string {
  return fromStorableText(String(row[column]));
}
