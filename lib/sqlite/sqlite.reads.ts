import { isArrayBuffer } from 'node:util/types';
import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import {
  DEFAULT_PAGE_SIZE,
  foldCase,
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  isAboutRuns,
  LARGEST_PAGE,
  positionOf,
  RUN_STATES,
  type RunNote,
  type RunState,
  runMatches,
} from '../inbox/inbox-queries.js';
import type { StoredTexts } from '../inbox/payload-protection.js';
import type { SqliteTables } from './sqlite.schema.js';
import { column, type SqliteDatabase, type SqliteValue, selectJson } from './sqlite-database.js';

export function selectEntry(
  database: SqliteDatabase,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
): InboxEntry | undefined {
  const [entry] = selectJson<StoredEntry>(
    database,
    `SELECT ${entryColumn(tables)} FROM ${tables.events} AS e WHERE e.endpoint = ? AND e.event_id = ?`,
    toStorableText(endpoint),
    toStorableText(eventId),
  );
  return entry && toInboxEntry(entry);
}

export function selectPage(
  database: SqliteDatabase,
  tables: SqliteTables,
  filter: InboxFilter,
  { limit = DEFAULT_PAGE_SIZE, cursor = '0' }: InboxPageRequest,
): InboxPage {
  const found: { readonly number: number; readonly entry: InboxEntry }[] = [];
  let [after, isLast] = [positionOf(cursor), false];
  while (!isLast && found.length <= limit) {
    const { from, order, parameters } = matching(tables, filter, after);
    const stored = selectJson<StoredEntry>(
      database,
      `SELECT ${entryColumn(tables)} ${from} GROUP BY ${order} ORDER BY ${order} LIMIT ?`,
      ...parameters,
      limit + 1,
    );
    found.push(
      ...stored
        .map((event) => ({ number: event.number, entry: toInboxEntry(event) }))
        // Escaped characters can look like the text that an error has to contain.
        .filter(
          ({ entry }) => filter.error === undefined || entry.runs.some((run) => runMatches(filter, run)),
        ),
    );
    isLast = stored.length <= limit;
    after = stored.at(-1)?.number ?? after;
  }
  const shown = found.slice(0, limit);
  const last = found.length > limit ? shown.at(-1) : undefined;
  return { entries: shown.map(({ entry }) => entry), ...(last && { nextCursor: String(last.number) }) };
}

export function countEntries(database: SqliteDatabase, tables: SqliteTables, filter: InboxFilter): number {
  if (filter.error !== undefined) {
    let [count, cursor] = [0, '0' as string | undefined];
    while (cursor !== undefined) {
      const page = selectPage(database, tables, filter, { limit: LARGEST_PAGE, cursor });
      count += page.entries.length;
      cursor = page.nextCursor;
    }
    return count;
  }
  const { from, order, parameters } = matching(tables, filter, 0);
  const [counted] = selectJson<{ count: number }>(
    database,
    `SELECT json_object('count', COUNT(DISTINCT ${order})) AS json ${from}`,
    ...parameters,
  );
  return counted?.count ?? 0;
}

export function selectRunCounts(
  database: SqliteDatabase,
  { events, handlers }: SqliteTables,
  endpoint?: string,
  states: readonly RunState[] = RUN_STATES,
): InboxRunCount[] {
  const asked = RUN_STATES.filter((state) => states.includes(state)).map((state) => `'${state}'`);
  const stored = selectJson<StoredRunCount>(
    database,
    `SELECT json_object(
      'endpoint', e.endpoint, 'handlerId', h.handler_id, 'state', h.state, 'count', COUNT(*),
      'oldestReceivedAt', MIN(e.received_at)
    ) AS json FROM ${handlers} AS h JOIN ${events} AS e ON e.number = h.event_number
    WHERE h.state IN (${asked.join(', ')}) ${endpoint === undefined ? '' : 'AND e.endpoint = ?'} GROUP BY e.endpoint, h.handler_id, h.state`,
    ...(endpoint === undefined ? [] : [toStorableText(endpoint)]),
  );
  return stored.map(({ endpoint, handlerId, oldestReceivedAt, ...count }) => ({
    endpoint: fromStorableText(endpoint),
    handlerId: fromStorableText(handlerId),
    ...count,
    oldestReceivedAt: new Date(oldestReceivedAt),
  }));
}

type StoredRunCount = Omit<InboxRunCount, 'oldestReceivedAt'> & { readonly oldestReceivedAt: number };

/** What is stored of an event, as it is stored. */
export function selectTexts(
  database: SqliteDatabase,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
): StoredTexts | undefined {
  const [row] = database
    .prepare(
      `SELECT payload, delivery FROM ${tables.payloads}
        WHERE event_number = (SELECT number FROM ${tables.events} WHERE endpoint = ? AND event_id = ?)`,
    )
    .all(toStorableText(endpoint), toStorableText(eventId));
  const payload = toBuffer(column(row, 'payload'));
  const delivery = column(row, 'delivery');
  return (
    payload && {
      payload,
      ...(typeof delivery === 'string' && { delivery: JSON.parse(fromStorableText(delivery)) }),
    }
  );
}

/** A condition of a statement, and its parameters. */
type Condition = readonly [sql: string, ...parameters: SqliteValue[]];

/** The events that match, from the index that returns the fewest in the order of receipt: SQLite does not know which does. */
function matching({ events, handlers }: SqliteTables, filter: InboxFilter, after: number) {
  const { state, handler, error, organizationId, entity, type } = filter;
  const ofEvent = (['endpoint', 'type', 'organizationId', 'entity'] as const).flatMap((name): Condition[] => {
    const value = filter[name];
    return value === undefined ? [] : [[`e.${COLUMNS[name]} = ?`, toStorableText(value)]];
  });
  const needle = error === undefined ? '' : toStorableText(foldCase(error));
  const ofRun: Condition[] = [
    ...(state === undefined ? [] : [['h.state = ?', state] as const]),
    ...(handler === undefined ? [] : [['h.handler_id = ?', toStorableText(handler)] as const]),
    ...(error === undefined
      ? []
      : [
          [
            'h.error_name IS NOT NULL AND (instr(lower(h.error_name), ?) > 0 OR instr(lower(h.error_message), ?) > 0)',
            needle,
            needle,
          ] as const,
        ]),
  ];
  const ofFew = entity !== undefined ? 'entity' : organizationId !== undefined ? 'organization' : undefined;
  const isRare = error !== undefined || (state !== undefined && state !== 'done');
  if (isAboutRuns(filter) && entity === undefined && (isRare || ofFew === undefined)) {
    const order = 'h.event_number';
    const index =
      error !== undefined ? 'with_error' : isRare || handler === undefined ? 'by_state' : 'by_handler';
    // With CROSS JOIN, SQLite reads the tables in this order.
    const from = `FROM ${handlers} AS h INDEXED BY ${handlers}_${index} CROSS JOIN ${events} AS e ON e.number = ${order}`;
    return statementOf(from, order, [...within(events, order, after, filter), ...ofRun, ...ofEvent]);
  }
  const order = 'e.number';
  const index = ofFew ?? (type === undefined ? undefined : 'type');
  const from = `FROM ${events} AS e ${index ? `INDEXED BY ${events}_by_${index}` : 'NOT INDEXED'}`;
  const runs = ofRun.map(([sql]) => ` AND ${sql}`).join('');
  const hasRun: Condition = [
    `EXISTS (SELECT 1 FROM ${handlers} AS h WHERE h.event_number = e.number${runs})`,
    ...ofRun.flatMap(([, ...parameters]) => parameters),
  ];
  return statementOf(from, order, [
    ...within(events, order, after, filter),
    ...ofEvent,
    ...(ofRun.length > 0 ? [hasRun] : []),
  ]);
}

const COLUMNS = {
  endpoint: 'endpoint',
  type: 'type',
  organizationId: 'organization_id',
  entity: 'entity',
} as const;

function statementOf(from: string, order: string, conditions: readonly Condition[]) {
  return {
    from: `${from} WHERE ${conditions.map(([sql]) => sql).join(' AND ')}`,
    order,
    parameters: conditions.flatMap(([, ...parameters]) => parameters),
  };
}

// The clock can be set back a little between two events.
const MARGIN_MS = 60_000;

/** The events after a number, and when they were received. SQLite uses only one lower and one upper bound of the numbers. */
function within(
  events: string,
  number: string,
  after: number,
  { receivedAfter, receivedBefore }: InboxFilter,
): Condition[] {
  const conditions: Condition[] = [];
  const found = `SELECT number FROM ${events} WHERE received_at`;
  if (receivedAfter) {
    const time = receivedAfter.getTime();
    const first = `${found} < ? ORDER BY received_at DESC LIMIT 1`;
    conditions.push([`${number} > max(?, ifnull((${first}), 0))`, after, time - MARGIN_MS]);
    conditions.push(['e.received_at >= ?', time]);
  } else {
    conditions.push([`${number} > ?`, after]);
  }
  if (receivedBefore) {
    const time = receivedBefore.getTime();
    const last = `${found} > ? ORDER BY received_at LIMIT 1`;
    conditions.push([`${number} < ifnull((${last}), ${Number.MAX_SAFE_INTEGER})`, time + MARGIN_MS]);
    conditions.push(['e.received_at < ?', time]);
  }
  return conditions;
}

/** An entry and its runs in one column, so that one statement reads both from the same snapshot. */
function entryColumn({ handlers }: SqliteTables): string {
  return `json_object(
    'number', e.number, 'endpoint', e.endpoint, 'eventId', e.event_id, 'type', e.type,
    'occurredAt', e.occurred_at, 'organizationId', e.organization_id, 'entity', e.entity, 'receivedAt', e.received_at,
    'erasedAt', e.erased_at, 'runs', json((
      SELECT json_group_array(json_object(
        'handlerId', r.handler_id, 'state', r.state, 'attempts', r.attempts, 'updatedAt', r.updated_at,
        'errorName', r.error_name, 'errorMessage', r.error_message, 'note', r.note
      )) FROM ${handlers} AS r WHERE r.event_number = e.number
    ))
  ) AS json`;
}

/** The JSON of {@link entryColumn}. */
interface StoredEntry extends InboxKey {
  readonly number: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly organizationId: string | null;
  readonly entity: string | null;
  readonly receivedAt: number;
  readonly erasedAt: number | null;
  readonly runs: readonly StoredRun[];
}

interface StoredRun {
  readonly handlerId: string;
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
  readonly note: RunNote | null;
}

function toInboxEntry(stored: StoredEntry): InboxEntry {
  const { endpoint, eventId, type, occurredAt, organizationId, entity, receivedAt, erasedAt, runs } = stored;
  return {
    endpoint: fromStorableText(endpoint),
    eventId: fromStorableText(eventId),
    type: fromStorableText(type),
    occurredAt: fromStorableText(occurredAt),
    ...(organizationId !== null && { organizationId: fromStorableText(organizationId) }),
    ...(entity !== null && { entity: fromStorableText(entity) }),
    receivedAt: new Date(receivedAt),
    ...(erasedAt !== null && { erasedAt: new Date(erasedAt) }),
    runs: runs.map(({ handlerId, updatedAt, errorName, errorMessage, note, ...run }) => ({
      handlerId: fromStorableText(handlerId),
      ...run,
      updatedAt: new Date(updatedAt),
      ...(errorName !== null && {
        error: { name: fromStorableText(errorName), message: fromStorableText(errorMessage ?? '') },
      }),
      ...(note && run.state === 'done' && { note }),
    })),
  };
}

/** libsql returns a blob as an ArrayBuffer, the other drivers as a Uint8Array. */
function toBuffer(blob: unknown): Buffer | undefined {
  if (ArrayBuffer.isView(blob)) return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  return isArrayBuffer(blob) ? Buffer.from(blob) : undefined;
}
