import {
  eventMatches,
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  isAboutRuns,
  runMatches,
} from './inbox-queries.js';
import type { Admission, InboxDelivery, InboxEntity, InboxEvent, InboxLease } from './inbox-store.js';
import type { OrderPlace } from './inbox-work.js';
import {
  admitRun,
  type EntityRecord,
  entityKey,
  erasedRun,
  isRunning,
  type RunRecord,
} from './run-states.js';

/** An event as the memory store keeps it. */
export interface StoredEvent extends Omit<InboxEvent, 'payload' | 'delivery'> {
  readonly receivedAt: number;
  /** Its place in the order in which events were received, from 1. */
  readonly position: number;
  /** A list, extended by `concat`: most events have one or two runs, and a `Map` or `push` reserves memory for more. */
  runs: StoredRun[];
  /** Kept only while workers have runs of the event. */
  payload: Uint8Array | undefined;
  delivery: InboxDelivery | undefined;
  erasedAt: number | undefined;
  /** The next event in the same queue. */
  next: StoredEvent | undefined;
}

export interface StoredRun {
  readonly handlerId: string;
  record: RunRecord;
  /** Undefined for a run that keeps no order. */
  place?: OrderPlace;
}

/** Events linked by `next`, so that the first is removed in constant time. */
class EventQueue {
  first: StoredEvent | undefined;
  #last: StoredEvent | undefined;

  append(event: StoredEvent): void {
    if (this.#last) this.#last.next = event;
    else this.first = event;
    this.#last = event;
  }

  removeFirst(): void {
    const { first } = this;
    this.first = first?.next;
    if (first) first.next = undefined;
    if (!this.first) this.#last = undefined;
  }

  *[Symbol.iterator](): Generator<StoredEvent, void> {
    for (let event = this.first; event; event = event.next) yield event;
  }
}

// A claim checks only a few of the events that are held back, so that many of them do not slow it down.
const HELD_BACK_CHECKS = 4;

/** The events that the memory store remembers, in the order in which they were received. */
export class MemoryEvents {
  /** By endpoint, then by event id. */
  readonly #byKey = new Map<string, Map<string, StoredEvent>>();
  readonly #received = new EventQueue();
  /** Due to be forgotten, but with a run in progress when their turn came. They are older than `#received`. */
  readonly #heldBack = new EventQueue();
  #lastPosition = 0;
  size = 0;

  find({ endpoint, eventId }: InboxKey): StoredEvent | undefined {
    return this.#byKey.get(endpoint)?.get(eventId);
  }

  findRun(key: InboxKey, handlerId: string): StoredRun | undefined {
    return this.find(key)?.runs.find((run) => run.handlerId === handlerId);
  }

  add({ endpoint, eventId, type, occurredAt, organizationId, entity }: InboxEvent, now: number): StoredEvent {
    this.#lastPosition += 1;
    const stored: StoredEvent = {
      endpoint,
      eventId,
      type,
      occurredAt,
      organizationId,
      entity,
      receivedAt: now,
      position: this.#lastPosition,
      runs: [],
      payload: undefined,
      delivery: undefined,
      erasedAt: undefined,
      next: undefined,
    };
    const ofEndpoint = this.#byKey.get(endpoint) ?? new Map<string, StoredEvent>();
    this.#byKey.set(endpoint, ofEndpoint.set(eventId, stored));
    this.#received.append(stored);
    this.size += 1;
    return stored;
  }

  /** Forgets the oldest events while they are due to be forgotten, except those to hold back. */
  forget(
    isDue: (event: StoredEvent) => boolean,
    isHeldBack: (event: StoredEvent) => boolean,
    checksLeft = HELD_BACK_CHECKS,
  ): void {
    for (let event = this.#heldBack.first; event && checksLeft > 0; event = this.#heldBack.first) {
      this.#heldBack.removeFirst();
      if (isDue(event) && !isHeldBack(event)) this.#delete(event);
      else {
        this.#heldBack.append(event);
        checksLeft -= 1;
      }
    }
    for (let event = this.#received.first; event && isDue(event); event = this.#received.first) {
      this.#received.removeFirst();
      if (isHeldBack(event)) this.#heldBack.append(event);
      else this.#delete(event);
    }
  }

  *matching(filter: InboxFilter): Generator<StoredEvent, void> {
    const heldBack = [...this.#heldBack].sort((a, b) => a.position - b.position);
    const isMatching = ({ handlerId, record: { state, error } }: StoredRun) =>
      runMatches(filter, { handlerId, state, ...(error && { error }) });
    for (const event of [...heldBack, ...this.#received]) {
      if (!eventMatches(filter, event)) continue;
      if (!isAboutRuns(filter) || event.runs.some(isMatching)) yield event;
    }
  }

  #delete(event: StoredEvent): void {
    this.#byKey.get(event.endpoint)?.delete(event.eventId);
    // Workers may still look at the event.
    event.runs = [];
    this.size -= 1;
  }
}

/** Which run of a handler has an entity, and the time of the newest event that is done. */
export class MemoryEntities {
  readonly #records = new Map<string, EntityRecord>();

  /** @param most how many to remember. When there are more, it forgets those that no run has had for the longest time. */
  constructor(private readonly most: number) {}

  /** See `InboxStore.admit`. */
  admit(
    events: MemoryEvents,
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
    entity: InboxEntity,
  ): Admission {
    const now = Date.now();
    const name = entityKey(key, handlerId, entity.name);
    const record = this.#records.get(name);
    const own = events.findRun(key, handlerId);
    const last = record && events.findRun({ ...key, eventId: record.eventId }, handlerId);
    const known = record && { record, run: last && whileInProgress(last.record, now) };
    const result = admitRun(known, own?.record, { eventId: key.eventId, lease, entity }, now);
    if (own && result.own) own.record = result.own;
    if (last && result.last) last.record = result.last;
    if (result.record) this.#remember(name, result.record);
    return result.admission;
  }

  #remember(name: string, record: EntityRecord): void {
    this.#records.delete(name);
    this.#records.set(name, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > this.most && oldest !== undefined) this.#records.delete(oldest);
  }
}

/** Erases an event, and returns whether it was not erased before. */
export function eraseEvent(event: StoredEvent, now: number): boolean {
  const isNew = event.erasedAt === undefined;
  Object.assign(event, { payload: undefined, delivery: undefined, erasedAt: event.erasedAt ?? now });
  for (const run of event.runs) run.record = erasedRun(run.record);
  return isNew;
}

/** The run as `complete` found it: only a run that is not settled yet has a lease that ends. */
export function unsettled(run: RunRecord): RunRecord {
  return run.state === 'done' && run.leaseEndsAt !== undefined ? { ...run, state: 'running' } : run;
}

/** The run without what `complete` recorded, as long as its handler may still fail. */
function whileInProgress(run: RunRecord, now: number): RunRecord {
  const before = unsettled(run);
  return isRunning(before, now) ? before : run;
}

export function hasRunInProgress(event: StoredEvent, now: number): boolean {
  return event.runs.some(({ record }) => isRunning(record, now));
}

/** Whether a run is in progress, or workers have one: it was acknowledged, so forgetting it would lose it. */
export function hasWorkLeft(event: StoredEvent, now: number): boolean {
  return event.runs.some(({ record }) => isRunning(record, now) || record.dueAt !== undefined);
}

export function toEntry(event: StoredEvent): InboxEntry {
  const { endpoint, eventId, type, occurredAt, organizationId, entity, receivedAt, erasedAt, runs } = event;
  return {
    endpoint,
    eventId,
    type,
    occurredAt,
    ...(organizationId !== undefined && { organizationId }),
    ...(entity !== undefined && { entity }),
    receivedAt: new Date(receivedAt),
    ...(erasedAt !== undefined && { erasedAt: new Date(erasedAt) }),
    runs: runs.map(({ handlerId, record: { state, attempts, updatedAt, error, note } }) => ({
      handlerId,
      state,
      attempts,
      updatedAt: new Date(updatedAt),
      ...(error && { error }),
      ...(note && state === 'done' && { note }),
    })),
  };
}
