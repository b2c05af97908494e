import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import type { InboxKey, RunState } from '../inbox/inbox-queries.js';
import type { InboxLease, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import type { DueRequest, OrderPlace, RecoveryStart } from '../inbox/inbox-work.js';
import type { StoredDueRuns, StoredEvent, StoredRun } from '../inbox/payload-protection.js';
import {
  claimRun,
  dismissRun,
  enqueueRun,
  erasedRun,
  extendRun,
  reopenRun,
  settleRun,
  takeRun,
} from '../inbox/run-states.js';
import {
  beginTurn,
  type DueEvent,
  hasDueKeys,
  placeRun,
  selectDueEvents,
  selectTurns,
  wakeKey,
  wakeKeys,
} from './sqlite.order.js';
import { selectTexts } from './sqlite.reads.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteWriter } from './sqlite.writes.js';
import { type SqliteDatabase, selectJson } from './sqlite-database.js';

/** Records the event if it is new, and claims the runs that can be claimed. Call it, like the others, in a write transaction. */
export function claim(
  writer: SqliteWriter,
  event: StoredEvent,
  handlerIds: readonly string[],
  lease: InboxLease,
): ReadonlyMap<string, RunClaim> {
  const now = Date.now();
  const eventNumber = writer.findEvent(event) ?? writer.insertEvent(event, now);
  const runs = writer.readRuns(eventNumber);
  const answers = new Map<string, RunClaim>();
  for (const handlerId of handlerIds) {
    const claimed = claimRun(runs.get(handlerId), lease, now);
    if (claimed.run) writer.writeRun(eventNumber, event.endpoint, handlerId, claimed.run);
    answers.set(handlerId, claimed.claim);
  }
  if ([...answers.values()].some(({ state }) => state !== 'done')) writer.restorePayload(eventNumber, event);
  return answers;
}

/** Records how attempts ended. Returns the ids of the handlers whose runs the lease holds. */
export function settle(
  writer: SqliteWriter,
  key: InboxKey,
  settlements: readonly RunSettlement[],
  lease: InboxLease,
): readonly string[] {
  const now = Date.now();
  const eventNumber = writer.findEvent(key);
  if (eventNumber === undefined) return [];
  const runs = writer.readRuns(eventNumber);
  const isErased = settlements.some(({ error }) => error) && writer.isErased(eventNumber);
  const written = settlements.flatMap((settlement) => {
    const { handlerId } = settlement;
    const run = runs.get(handlerId);
    const settled = settleRun(run, settlement, lease, now);
    if (!settled) return [];
    const kept = isErased ? erasedRun(settled) : settled;
    if (settled !== run) writer.writeRun(eventNumber, key.endpoint, handlerId, kept);
    return [handlerId];
  });
  writer.dropIfDone(eventNumber);
  return written;
}

/** Makes runs claimable again. Returns the ids of their handlers. */
export function reopen(
  writer: SqliteWriter,
  key: InboxKey,
  handlerIds?: readonly string[],
): readonly string[] {
  return writer.changeRuns(key, (run, handlerId) => {
    const asked = handlerIds?.includes(handlerId) ?? false;
    return handlerIds && !asked ? undefined : reopenRun(run, asked, Date.now());
  });
}

/** Makes dead and failed runs done. Returns the ids of their handlers. */
export function dismiss(
  writer: SqliteWriter,
  key: InboxKey,
  handlerIds?: readonly string[],
): readonly string[] {
  const dismissed = writer.changeRuns(key, (run, handlerId) =>
    handlerIds?.includes(handlerId) === false ? undefined : dismissRun(run, Date.now()),
  );
  wakeKeys(writer, key);
  return dismissed;
}

/** Records the event, and hands its runs to the workers. */
export function enqueue(
  writer: SqliteWriter,
  event: StoredEvent,
  handlerIds: readonly string[],
  places: ReadonlyMap<string, OrderPlace> = new Map(),
): ReadonlyMap<string, RunState> {
  const now = Date.now();
  const eventNumber = writer.findEvent(event) ?? writer.insertEvent(event, now);
  const runs = writer.readRuns(eventNumber);
  const states = new Map<string, RunState>();
  for (const handlerId of handlerIds) {
    const run = runs.get(handlerId);
    const queued = enqueueRun(run, now);
    const place = places.get(handlerId);
    if (queued) writer.writeRun(eventNumber, event.endpoint, handlerId, queued);
    // A run that was handed over before may have had another place.
    if (queued && (run || place)) placeRun(writer, eventNumber, handlerId, place);
    if (place) wakeKey(writer, event.endpoint, handlerId, place.key, now);
    states.set(handlerId, (queued ?? run)?.state ?? 'queued');
  }
  if ([...states.values()].some((state) => state !== 'done')) writer.restorePayload(eventNumber, event);
  return states;
}

/** Renews the lease of a run. Returns whether the lease still holds it. */
export function extend(writer: SqliteWriter, key: InboxKey, handlerId: string, lease: InboxLease): boolean {
  const found = writer.findRun(key, handlerId);
  const extended = extendRun(found?.run, lease, Date.now());
  if (found && extended) writer.writeRun(found.eventNumber, key.endpoint, handlerId, extended);
  return extended !== undefined;
}

/** Takes due runs, those first that have been due the longest. */
export function takeDue(writer: SqliteWriter, request: DueRequest): StoredDueRuns {
  const { database, tables } = writer;
  const now = Date.now();
  const { due: unordered, isPaused } = selectDue(database, tables, request);
  const turns = isPaused ? [] : selectTurns(writer, request, now);
  const due = [...unordered, ...turns].sort((one, other) => one.dueAt - other.dueAt).slice(0, request.limit);
  const runs = due.flatMap(({ number, handlerId, dueAt, ...event }): StoredRun[] => {
    const run = writer.readRuns(number).get(handlerId);
    const taken = run && takeRun(run, request.lease, now);
    if (!taken) return [];
    writer.writeRun(number, request.endpoint, handlerId, taken);
    if (event.orderKey !== undefined)
      beginTurn(writer, { ...event, orderKey: event.orderKey }, handlerId, taken);
    const { attempts: attempt, workerAttempts: workerAttempt } = taken;
    const payload = selectTexts(database, tables, event)?.payload;
    const lastError = run.error && { lastError: run.error };
    return [{ ...event, payload, handlerId, attempt, workerAttempt, ...lastError }];
  });
  return { runs, isPaused };
}

/** Whether there may be due runs. A read does not keep other processes from writing, and most polls find nothing. */
export function hasDueRuns(
  database: SqliteDatabase,
  tables: SqliteTables,
  request: DueRequest,
): { hasDue: boolean; isPaused: boolean } {
  const { due, isPaused } = selectDue(database, tables, { ...request, limit: 1 });
  return { hasDue: due.length > 0 || (!isPaused && hasDueKeys(database, tables, request)), isPaused };
}

/** The due runs without a place that a worker would take: at most as many of each handler as it takes in all. */
function selectDue(
  database: SqliteDatabase,
  tables: SqliteTables,
  { endpoint, handlerIds, limit }: Omit<DueRequest, 'lease'>,
): { due: readonly DueEvent[]; isPaused: boolean } {
  if (isPaused(database, tables, endpoint)) return { due: [], isPaused: true };
  const due = handlerIds.flatMap((handlerId) => {
    const which =
      'h.endpoint = ? AND h.handler_id = ? AND h.due_at <= ? AND h.order_key IS NULL ORDER BY h.due_at LIMIT ?';
    const ids = [toStorableText(endpoint), toStorableText(handlerId)];
    return selectDueEvents(database, tables, handlerId, which, ...ids, Date.now(), limit);
  });
  return { due, isPaused: false };
}

export function countStranded(
  database: SqliteDatabase,
  tables: SqliteTables,
  endpoint: string,
  handlerIds: readonly string[],
  dueForMs: number,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  // Each of these has an index.
  for (const kind of ['order_key IS NULL', 'order_key IS NOT NULL']) {
    const counted = selectJson<{ handlerId: string; runs: number }>(
      database,
      `SELECT json_object('handlerId', handler_id, 'runs', COUNT(*)) AS json
        FROM ${tables.handlers}
        WHERE endpoint = ? AND due_at <= ? AND ${kind} AND handler_id NOT IN (SELECT value FROM json_each(?))
        GROUP BY handler_id`,
      toStorableText(endpoint),
      Date.now() - dueForMs,
      JSON.stringify(handlerIds.map(toStorableText)),
    );
    for (const { handlerId, runs } of counted) {
      const id = fromStorableText(handlerId);
      counts.set(id, (counts.get(id) ?? 0) + runs);
    }
  }
  return counts;
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

interface StoredRecovery {
  readonly checkpoint: number | null;
  readonly leaseToken: string;
  readonly leaseEndsAt: number;
}

/** Gives a process the right to recover, unless another one has it. Call it in a write transaction. */
export function beginRecovery(
  database: SqliteDatabase,
  tables: SqliteTables,
  endpoint: string,
  { token, durationMs }: InboxLease,
): RecoveryStart | undefined {
  const now = Date.now();
  const found = selectRecovery(database, tables, endpoint);
  if (found && found.leaseToken !== toStorableText(token) && found.leaseEndsAt > now) return undefined;
  const checkpoint = found?.checkpoint ?? null;
  writeRecovery(database, tables, endpoint, token, { checkpoint, leaseEndsAt: now + durationMs });
  return checkpoint === null ? {} : { checkpoint: new Date(checkpoint) };
}

/** Ends a recovery. Returns whether the lease was still held. Call it in a write transaction. */
export function endRecovery(
  database: SqliteDatabase,
  tables: SqliteTables,
  endpoint: string,
  { token }: InboxLease,
  moved?: Date,
): boolean {
  const found = selectRecovery(database, tables, endpoint);
  if (found?.leaseToken !== toStorableText(token)) return false;
  const times = [found.checkpoint, moved?.getTime() ?? null].filter((time) => time !== null);
  const checkpoint = times.length === 0 ? null : Math.max(...times);
  // The token stays, so that the end can be repeated.
  writeRecovery(database, tables, endpoint, token, { checkpoint, leaseEndsAt: Date.now() });
  return true;
}

function selectRecovery(
  database: SqliteDatabase,
  { recoveries }: SqliteTables,
  endpoint: string,
): StoredRecovery | undefined {
  return selectJson<StoredRecovery>(
    database,
    `SELECT json_object('checkpoint', checkpoint, 'leaseToken', lease_token, 'leaseEndsAt', lease_ends_at) AS json
      FROM ${recoveries} WHERE endpoint = ?`,
    toStorableText(endpoint),
  )[0];
}

function writeRecovery(
  database: SqliteDatabase,
  { recoveries }: SqliteTables,
  endpoint: string,
  token: string,
  { checkpoint, leaseEndsAt }: Omit<StoredRecovery, 'leaseToken'>,
): void {
  database
    .prepare(
      `INSERT OR REPLACE INTO ${recoveries} (endpoint, checkpoint, lease_token, lease_ends_at) VALUES (?, ?, ?, ?)`,
    )
    .run(toStorableText(endpoint), checkpoint, toStorableText(token), leaseEndsAt);
}
