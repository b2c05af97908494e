import { isArrayBuffer } from 'node:util/types';
import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import {
  DEFAULT_PAGE_SIZE,
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  positionOf,
  RUN_STATES,
  type RunNote,
  type RunState,
} from '../inbox/inbox-queries.js';
import type { DueRun } from '../inbox/inbox-work.js';
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
  const { from, order, parameters } = matching(tables, filter, positionOf(cursor));
  const found = selectJson<StoredEntry>(
    database,
    `SELECT ${entryColumn(tables)} ${from} GROUP BY ${order} ORDER BY ${order} LIMIT ?`,
    ...parameters,
    limit + 1,
  );
  const stored = found.slice(0, limit);
  const last = found.length > limit ? stored.at(-1) : undefined;
  return { entries: stored.map(toInboxEntry), ...(last && { nextCursor: String(last.number) }) };
}

export function countEntries(database: SqliteDatabase, tables: SqliteTables, filter: InboxFilter): number {
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

export function selectPayload(
  database: SqliteDatabase,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
): Buffer | undefined {
  const [row] = database
    .prepare(
      `SELECT payload FROM ${tables.payloads}
        WHERE event_number = (SELECT number FROM ${tables.events} WHERE endpoint = ? AND event_id = ?)`,
    )
    .all(toStorableText(endpoint), toStorableText(eventId));
  return row === undefined ? undefined : toBuffer(column(row, 'payload'));
}

/** @param which the condition, order and limit of the runs, as `h` */
export function selectDueEvents(
  database: SqliteDatabase,
  { handlers, events, payloads }: SqliteTables,
  handlerId: string,
  which: string,
  ...parameters: SqliteValue[]
): DueEvent[] {
  const stored = selectJson<StoredDueRun>(
    database,
    `SELECT json_object(
      'number', e.number, 'endpoint', e.endpoint, 'eventId', e.event_id, 'type', e.type,
      'occurredAt', e.occurred_at, 'receivedAt', e.received_at, 'delivery', p.delivery, 'dueAt', h.due_at
    ) AS json
    FROM ${handlers} AS h
    CROSS JOIN ${events} AS e ON e.number = h.event_number
    CROSS JOIN ${payloads} AS p ON p.event_number = h.event_number
    WHERE ${which}`,
    ...parameters,
  );
  return stored.map((run) => ({ ...toDueEvent(run), handlerId }));
}

/** The events that match, from the table whose index returns them in the order of receipt. */
function matching({ events, handlers }: SqliteTables, filter: InboxFilter, after: number) {
  const parameters: SqliteValue[] = [after];
  let order = 'e.number';
  let from = `FROM ${events} AS e WHERE e.number > ?`;
  if (filter.state !== undefined) {
    order = 'h.event_number';
    // With CROSS JOIN, SQLite reads the tables in this order.
    from = `FROM ${handlers} AS h CROSS JOIN ${events} AS e ON e.number = h.event_number
      WHERE h.event_number > ? AND h.state = ?`;
    parameters.push(filter.state);
  }
  if (filter.endpoint !== undefined) {
    from += ' AND e.endpoint = ?';
    parameters.push(toStorableText(filter.endpoint));
  }
  if (filter.type !== undefined) {
    from += ' AND e.type = ?';
    parameters.push(toStorableText(filter.type));
  }
  return { from, order, parameters };
}

/** An entry and its runs in one column, so that one statement reads both from the same snapshot. */
function entryColumn({ handlers }: SqliteTables): string {
  return `json_object(
    'number', e.number, 'endpoint', e.endpoint, 'eventId', e.event_id, 'type', e.type,
    'occurredAt', e.occurred_at, 'organizationId', e.organization_id, 'entity', e.entity, 'receivedAt', e.received_at,
    'runs', json((
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
  const { endpoint, eventId, type, occurredAt, organizationId, entity, receivedAt, runs } = stored;
  return {
    endpoint: fromStorableText(endpoint),
    eventId: fromStorableText(eventId),
    type: fromStorableText(type),
    occurredAt: fromStorableText(occurredAt),
    ...(organizationId !== null && { organizationId: fromStorableText(organizationId) }),
    ...(entity !== null && { entity: fromStorableText(entity) }),
    receivedAt: new Date(receivedAt),
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

/** A run that can be taken, with the number of its event. */
export type DueEvent = Omit<DueRun, 'payload' | 'attempt' | 'workerAttempt'> & {
  readonly number: number;
  readonly dueAt: number;
};

interface StoredDueRun extends InboxKey {
  readonly number: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly receivedAt: number;
  readonly delivery: string | null;
  readonly dueAt: number;
}

function toDueEvent(stored: StoredDueRun): Omit<DueEvent, 'handlerId'> {
  const { number, delivery, receivedAt, dueAt, ...event } = stored;
  return {
    number,
    dueAt,
    endpoint: fromStorableText(event.endpoint),
    eventId: fromStorableText(event.eventId),
    type: fromStorableText(event.type),
    occurredAt: fromStorableText(event.occurredAt),
    receivedAt: new Date(receivedAt),
    ...(delivery !== null && { delivery: JSON.parse(fromStorableText(delivery)) }),
  };
}
