import type { InboxKey, RunState } from '../inbox/inbox-queries.js';
import type { Admission, InboxEntity, InboxEvent, InboxLease } from '../inbox/inbox-store.js';
import type { DueRequest, DueRun, DueRuns } from '../inbox/inbox-work.js';
import { admitRun, enqueueRun, entityKey, extendRun, takeRun } from '../inbox/run-states.js';
import { fromStorableText, toStorableText } from '../inbox/storable-text.js';
import { selectPayload } from './sqlite.reads.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteWriter } from './sqlite.writes.js';
import { type SqliteDatabase, selectJson } from './sqlite-database.js';

/** Records the event, and hands its runs to the workers. */
export function enqueue(
  writer: SqliteWriter,
  event: InboxEvent,
  handlerIds: readonly string[],
): ReadonlyMap<string, RunState> {
  const now = Date.now();
  const eventNumber = writer.findEvent(event) ?? writer.insertEvent(event, now);
  const runs = writer.readRuns(eventNumber);
  const states = new Map<string, RunState>();
  for (const handlerId of handlerIds) {
    const run = runs.get(handlerId);
    const queued = enqueueRun(run, now);
    if (queued) writer.writeRun(eventNumber, event.endpoint, handlerId, queued);
    states.set(handlerId, (queued ?? run)?.state ?? 'queued');
  }
  return states;
}

/** Lets the lease of a run begin anew. Returns whether the lease still holds it. */
export function extend(writer: SqliteWriter, key: InboxKey, handlerId: string, lease: InboxLease): boolean {
  const eventNumber = writer.findEvent(key);
  if (eventNumber === undefined) return false;
  const extended = extendRun(writer.readRuns(eventNumber).get(handlerId), lease, Date.now());
  if (extended) writer.writeRun(eventNumber, key.endpoint, handlerId, extended);
  return extended !== undefined;
}

/** Takes the runs that {@link selectDue} finds. Call it in a write transaction. */
export function takeDue(
  database: SqliteDatabase,
  tables: SqliteTables,
  writer: SqliteWriter,
  request: DueRequest,
): DueRuns {
  const now = Date.now();
  const { due, isPaused } = selectDue(database, tables, request);
  const runs = due.flatMap(({ number, handlerId, ...event }): DueRun[] => {
    const run = writer.readRuns(number).get(handlerId);
    const taken = run && takeRun(run, request.lease, now);
    if (!taken) return [];
    writer.writeRun(number, request.endpoint, handlerId, taken);
    const { attempts: attempt, workerAttempts: workerAttempt } = taken;
    const payload = selectPayload(database, tables, event) ?? new Uint8Array();
    return [{ ...event, payload, handlerId, attempt, workerAttempt }];
  });
  return { runs, isPaused };
}

/** The due runs that a worker would take: at most as many of each handler as it takes in all. */
export function selectDue(
  database: SqliteDatabase,
  tables: SqliteTables,
  { endpoint, handlerIds, limit }: Omit<DueRequest, 'lease'>,
): { due: readonly DueEvent[]; isPaused: boolean } {
  if (isPaused(database, tables, endpoint)) return { due: [], isPaused: true };
  const due = handlerIds.flatMap((handlerId) =>
    selectJson<StoredDueRun>(
      database,
      `SELECT json_object(
        'number', e.number, 'endpoint', e.endpoint, 'eventId', e.event_id, 'type', e.type,
        'occurredAt', e.occurred_at, 'receivedAt', e.received_at, 'delivery', p.delivery, 'dueAt', h.due_at
      ) AS json
      FROM ${tables.handlers} AS h
      CROSS JOIN ${tables.events} AS e ON e.number = h.event_number
      CROSS JOIN ${tables.payloads} AS p ON p.event_number = h.event_number
      WHERE h.endpoint = ? AND h.handler_id = ? AND h.due_at <= ?
      ORDER BY h.due_at LIMIT ?`,
      toStorableText(endpoint),
      toStorableText(handlerId),
      Date.now(),
      limit,
    ).map((run) => ({ ...toDueEvent(run), handlerId, dueAt: run.dueAt })),
  );
  const first = due.sort((one, other) => one.dueAt - other.dueAt).slice(0, limit);
  return { due: first.map(({ dueAt, ...run }) => run), isPaused: false };
}

export function countStranded(
  database: SqliteDatabase,
  tables: SqliteTables,
  endpoint: string,
  handlerIds: readonly string[],
  dueForMs: number,
): ReadonlyMap<string, number> {
  const counts = selectJson<{ handlerId: string; runs: number }>(
    database,
    `SELECT json_object('handlerId', handler_id, 'runs', COUNT(*)) AS json
      FROM ${tables.handlers}
      WHERE endpoint = ? AND due_at <= ? AND handler_id NOT IN (SELECT value FROM json_each(?))
      GROUP BY handler_id`,
    toStorableText(endpoint),
    Date.now() - dueForMs,
    JSON.stringify(handlerIds.map(toStorableText)),
  );
  return new Map(counts.map(({ handlerId, runs }) => [fromStorableText(handlerId), runs]));
}

export function isPaused(database: SqliteDatabase, { pauses }: SqliteTables, endpoint: string): boolean {
  const found = database.prepare(`SELECT 1 FROM ${pauses} WHERE endpoint = ?`).all(toStorableText(endpoint));
  return found.length > 0;
}

export function setPaused(
  database: SqliteDatabase,
  { pauses }: SqliteTables,
  endpoint: string,
  isPaused: boolean,
): void {
  const statement = isPaused
    ? `INSERT OR IGNORE INTO ${pauses} (endpoint, paused_at) VALUES (?, ?)`
    : `DELETE FROM ${pauses} WHERE endpoint = ?`;
  const values = isPaused ? [toStorableText(endpoint), Date.now()] : [toStorableText(endpoint)];
  database.prepare(statement).run(...values);
}

type DueEvent = Omit<DueRun, 'payload' | 'attempt' | 'workerAttempt'> & { readonly number: number };

interface StoredDueRun extends InboxKey {
  readonly number: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly receivedAt: number;
  readonly delivery: string | null;
  readonly dueAt: number;
}

function toDueEvent({ number, delivery, receivedAt, ...event }: StoredDueRun): Omit<DueEvent, 'handlerId'> {
  return {
    number,
    endpoint: fromStorableText(event.endpoint),
    eventId: fromStorableText(event.eventId),
    type: fromStorableText(event.type),
    occurredAt: fromStorableText(event.occurredAt),
    receivedAt: new Date(receivedAt),
    ...(delivery !== null && { delivery: JSON.parse(fromStorableText(delivery)) }),
  };
}

/** Lets a run have an entity: see `InboxStore.admit`. Call it in a write transaction. */
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
  const result = admitRun(
    record && { record, run: last?.run },
    own?.run,
    { eventId: key.eventId, lease, entity },
    now,
  );
  if (own && result.own) writer.writeRun(own.eventNumber, key.endpoint, handlerId, result.own);
  if (last && result.last) writer.writeRun(last.eventNumber, key.endpoint, handlerId, result.last);
  if (result.record) writer.writeEntity(name, key.endpoint, handlerId, result.record, now);
  return result.admission;
}
