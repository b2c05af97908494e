import { isArrayBuffer } from 'node:util/types';
import type {
  InboxEntry,
  InboxFilter,
  InboxKey,
  InboxPage,
  InboxPageRequest,
  RunState,
} from '../inbox/inbox-store.js';
import { DEFAULT_PAGE_SIZE } from '../inbox/inbox-store.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteDatabase, SqliteValue } from './sqlite-database.js';
import { column, selectJson } from './sqlite-database.js';

/** An entry as {@link entryColumn} builds it. */
interface StoredEntry extends InboxKey {
  readonly number: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly receivedAt: number;
  readonly handlers: readonly StoredHandler[];
}

interface StoredHandler {
  readonly handlerId: string;
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
}

export function selectEntry(
  database: SqliteDatabase,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
): InboxEntry | undefined {
  const [entry] = selectJson<StoredEntry>(
    database,
    `SELECT ${entryColumn(tables)} FROM ${tables.events} AS e WHERE e.endpoint = ? AND e.event_id = ?`,
    endpoint,
    eventId,
  );
  return entry && toInboxEntry(entry);
}

export function selectPage(
  database: SqliteDatabase,
  tables: SqliteTables,
  filter: InboxFilter,
  { limit = DEFAULT_PAGE_SIZE, cursor = '0' }: InboxPageRequest,
): InboxPage {
  const { from, order, parameters } = matching(tables, filter, Number(cursor));
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
    .all(endpoint, eventId);
  return row === undefined ? undefined : toBuffer(column(row, 'payload'));
}

/** Which events match, from the table by whose index they are found in the order of receipt. */
function matching({ events, handlers }: SqliteTables, filter: InboxFilter, after: number) {
  const parameters: SqliteValue[] = [after];
  let order = 'e.number';
  let from = `FROM ${events} AS e WHERE e.number > ?`;
  if (filter.state !== undefined) {
    order = 'h.event_number';
    // CROSS: SQLite keeps this order of the tables.
    from = `FROM ${handlers} AS h CROSS JOIN ${events} AS e ON e.number = h.event_number
      WHERE h.event_number > ? AND h.state = ?`;
    parameters.push(filter.state);
  }
  if (filter.endpoint !== undefined) {
    from += ' AND e.endpoint = ?';
    parameters.push(filter.endpoint);
  }
  if (filter.type !== undefined) {
    from += ' AND e.type = ?';
    parameters.push(filter.type);
  }
  return { from, order, parameters };
}

/** An entry with its handlers in one column, so that one statement reads both from one state of the database. */
function entryColumn({ handlers }: SqliteTables): string {
  return `json_object(
    'number', e.number, 'endpoint', e.endpoint, 'eventId', e.event_id, 'type', e.type,
    'occurredAt', e.occurred_at, 'receivedAt', e.received_at,
    'handlers', json((
      SELECT json_group_array(json_object(
        'handlerId', r.handler_id, 'state', r.state, 'attempts', r.attempts, 'updatedAt', r.updated_at,
        'errorName', r.error_name, 'errorMessage', r.error_message
      )) FROM ${handlers} AS r WHERE r.event_number = e.number
    ))
  ) AS json`;
}

function toInboxEntry({ number: _, receivedAt, handlers, ...entry }: StoredEntry): InboxEntry {
  return {
    ...entry,
    receivedAt: new Date(receivedAt),
    runs: handlers.map(({ updatedAt, errorName, errorMessage, ...handler }) => ({
      ...handler,
      updatedAt: new Date(updatedAt),
      ...(errorName !== null && { error: { name: errorName, message: errorMessage ?? '' } }),
    })),
  };
}

/** libsql gives a blob as an ArrayBuffer, the others as a Uint8Array. */
function toBuffer(blob: unknown): Buffer | undefined {
  if (ArrayBuffer.isView(blob)) return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  return isArrayBuffer(blob) ? Buffer.from(blob) : undefined;
}
