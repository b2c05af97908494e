import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { Admission, InboxEntity, InboxLease } from '../inbox/inbox-store.js';
import type { DueRequest, OrderPlace } from '../inbox/inbox-work.js';
import type { StoredRun } from '../inbox/payload-protection.js';
import { admitRun, entityKey, isRunning, type RunRecord } from '../inbox/run-states.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteWriter } from './sqlite.writes.js';
import { type SqliteDatabase, type SqliteValue, selectJson } from './sqlite-database.js';

/** Lets a run have an entity: see `InboxStore.admit`. Call it, like the others, in a write transaction. */
export function admit(
  writer: SqliteWriter,
  key: InboxKey,
  handlerId: string,
  lease: InboxLease,
  entity: InboxEntity,
): Admission {
  const name = entityKey(key, handlerId, entity.name);
  const record = writer.readEntity(name);
  const own = writer.findRun(key, handlerId);
  const last = record && writer.findRun({ ...key, eventId: record.eventId }, handlerId);
  const now = Date.now();
  const known = record && { record, run: last?.run };
  const result = admitRun(known, own?.run, { eventId: key.eventId, lease, entity }, now);
  if (own && result.own) writer.writeRun(own.eventNumber, key.endpoint, handlerId, result.own);
  if (last && result.last) writer.writeRun(last.eventNumber, key.endpoint, handlerId, result.last);
  if (result.record) writer.writeEntity(name, key.endpoint, handlerId, result.record, now);
  return result.admission;
}

const FIRST_OF_KEY = `h.endpoint = ? AND h.handler_id = ? AND h.order_key = ? AND h.due_at IS NOT NULL
  ORDER BY h.order_at, h.event_number LIMIT 1`;

/** An order key of a handler, with the run that was taken last. */
interface OrderKey {
  readonly endpoint: string;
  readonly handlerId: string;
  readonly orderKey: string;
  readonly dueAt: number;
  readonly eventId: string | null;
}

/** Gives a run that has just been handed to the workers its place, or none. */
export function placeRun(
  { database, tables }: SqliteWriter,
  eventNumber: number,
  handlerId: string,
  place: OrderPlace | undefined,
): void {
  database
    .prepare(
      `UPDATE ${tables.handlers} SET order_key = ?, order_at = ? WHERE event_number = ? AND handler_id = ?`,
    )
    .run(place?.key ?? null, place?.occurredAt ?? null, eventNumber, toStorableText(handlerId));
}

/** A key has a new run, so it is due. */
export function wakeKey(
  { database, tables }: SqliteWriter,
  endpoint: string,
  handlerId: string,
  orderKey: string,
  now: number,
): void {
  database
    .prepare(
      `INSERT INTO ${tables.keys} (endpoint, handler_id, order_key, due_at) VALUES (?, ?, ?, ?)
        ON CONFLICT (endpoint, handler_id, order_key) DO UPDATE SET
          due_at = CASE WHEN lease_token IS NULL THEN min(due_at, excluded.due_at) ELSE due_at END`,
    )
    .run(toStorableText(endpoint), toStorableText(handlerId), orderKey, now);
}

/** A run with a place was taken, so its key is due again when the lease has ended. */
export function beginTurn(
  { database, tables }: SqliteWriter,
  { endpoint, eventId, orderKey }: InboxKey & { readonly orderKey: string },
  handlerId: string,
  run: RunRecord,
): void {
  database
    .prepare(
      `UPDATE ${tables.keys} SET due_at = ?, event_id = ?, lease_token = ?
        WHERE endpoint = ? AND handler_id = ? AND order_key = ?`,
    )
    .run(
      run.leaseEndsAt ?? run.updatedAt,
      toStorableText(eventId),
      run.leaseToken ?? null,
      toStorableText(endpoint),
      toStorableText(handlerId),
      orderKey,
    );
}

/** The attempt at a run with a place has been settled: see `InboxWorkStore.endTurn`. */
export function endTurn(
  writer: SqliteWriter,
  { endpoint, eventId }: InboxKey,
  handlerId: string,
  orderKey: string,
  { token }: InboxLease,
): boolean {
  const { database, tables } = writer;
  const isOf = 'WHERE endpoint = ? AND handler_id = ? AND order_key = ? AND event_id = ? AND lease_token = ?';
  const ids = [toStorableText(endpoint), toStorableText(handlerId), orderKey];
  const turn = [...ids, toStorableText(eventId), token];
  const now = Date.now();
  const [first] = selectDueEvents(database, tables, handlerId, FIRST_OF_KEY, ...ids);
  putBack(writer, first, isOf, turn);
  return first !== undefined && first.dueAt <= now;
}

/** No run of a key is in progress, so the key is due when its first run is. A key without runs is deleted. */
function putBack(
  { database, tables }: SqliteWriter,
  first: DueEvent | undefined,
  isOf: string,
  ids: readonly string[],
): void {
  if (first) {
    const put = `UPDATE ${tables.keys} SET due_at = ?, event_id = NULL, lease_token = NULL ${isOf}`;
    database.prepare(put).run(first.dueAt, ...ids);
  } else database.prepare(`DELETE FROM ${tables.keys} ${isOf}`).run(...ids);
}

/** Runs of an event were dismissed, so that those behind them can be taken. */
export function wakeKeys({ database, tables }: SqliteWriter, { endpoint, eventId }: InboxKey): void {
  const { keys, handlers, events } = tables;
  database
    .prepare(
      `UPDATE ${keys} SET due_at = ?
        WHERE lease_token IS NULL AND (endpoint, handler_id, order_key) IN (
          SELECT e.endpoint, h.handler_id, h.order_key
          FROM ${events} AS e CROSS JOIN ${handlers} AS h ON h.event_number = e.number
          WHERE e.endpoint = ? AND e.event_id = ? AND h.order_key IS NOT NULL
        )`,
    )
    .run(Date.now(), toStorableText(endpoint), toStorableText(eventId));
}

export function hasDueKeys(database: SqliteDatabase, tables: SqliteTables, request: DueRequest): boolean {
  return selectDueKeys(database, tables, { ...request, limit: 1 }, Date.now()).length > 0;
}

/**
 * The first runs of the keys that are due. A key whose first run is not due yet, or whose last run is still in progress, is
 * put off until then, and a key without runs is deleted.
 */
export function selectTurns(writer: SqliteWriter, request: DueRequest, now: number): readonly DueEvent[] {
  const { database, tables } = writer;
  return selectDueKeys(database, tables, request, now).flatMap(
    ({ endpoint, handlerId, orderKey, dueAt, eventId }) => {
      const last = eventId === null ? undefined : writer.findRun({ endpoint, eventId }, handlerId)?.run;
      const ids = [toStorableText(endpoint), toStorableText(handlerId), orderKey];
      const isHeld = last !== undefined && isRunning(last, now);
      const [first] = isHeld ? [] : selectDueEvents(database, tables, handlerId, FIRST_OF_KEY, ...ids);
      if (first && first.dueAt <= now) return [{ ...first, dueAt, orderKey }];
      const isOf = 'WHERE endpoint = ? AND handler_id = ? AND order_key = ?';
      if (isHeld) {
        database.prepare(`UPDATE ${tables.keys} SET due_at = ? ${isOf}`).run(last.leaseEndsAt ?? now, ...ids);
      } else putBack(writer, first, isOf, ids);
      return [];
    },
  );
}

/** The keys that are due: at most as many of each handler as a worker takes runs in all. */
function selectDueKeys(
  database: SqliteDatabase,
  { keys }: SqliteTables,
  { endpoint, handlerIds, limit }: DueRequest,
  now: number,
): readonly OrderKey[] {
  return handlerIds.flatMap((handlerId) =>
    selectJson<Omit<OrderKey, 'endpoint' | 'handlerId'>>(
      database,
      `SELECT json_object('orderKey', order_key, 'dueAt', due_at, 'eventId', event_id) AS json
        FROM ${keys} WHERE endpoint = ? AND handler_id = ? AND due_at <= ? ORDER BY due_at LIMIT ?`,
      toStorableText(endpoint),
      toStorableText(handlerId),
      now,
      limit,
    ).map(({ eventId, ...key }) => ({
      ...key,
      endpoint,
      handlerId,
      eventId: eventId === null ? null : fromStorableText(eventId),
    })),
  );
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
    LEFT JOIN ${payloads} AS p ON p.event_number = h.event_number
    WHERE ${which}`,
    ...parameters,
  );
  return stored.map((run) => ({ ...toDueEvent(run), handlerId }));
}

/** A run that can be taken, with the number of its event. */
export type DueEvent = Omit<StoredRun, 'payload' | 'attempt' | 'workerAttempt'> & {
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
