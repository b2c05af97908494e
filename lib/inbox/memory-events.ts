import type { InboxEntry, InboxFilter, InboxKey } from './inbox-queries.js';
import type { InboxDelivery, InboxEvent } from './inbox-store.js';
import { isRunning, type RunRecord } from './run-states.js';

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
  /** The next event in the same queue. */
  next: StoredEvent | undefined;
}

export interface StoredRun {
  readonly handlerId: string;
  record: RunRecord;
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

  add({ endpoint, eventId, type, occurredAt }: InboxEvent, now: number): StoredEvent {
    this.#lastPosition += 1;
    const stored: StoredEvent = {
      endpoint,
      eventId,
      type,
      occurredAt,
      receivedAt: now,
      position: this.#lastPosition,
      runs: [],
      payload: undefined,
      delivery: undefined,
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

  *matching({ endpoint, type, state }: InboxFilter): Generator<StoredEvent, void> {
    const heldBack = [...this.#heldBack].sort((a, b) => a.position - b.position);
    for (const event of [...heldBack, ...this.#received]) {
      if (endpoint !== undefined && event.endpoint !== endpoint) continue;
      if (type !== undefined && event.type !== type) continue;
      if (state === undefined || event.runs.some(({ record }) => record.state === state)) yield event;
    }
  }

  #delete(event: StoredEvent): void {
    this.#byKey.get(event.endpoint)?.delete(event.eventId);
    // Workers may still look at the event.
    event.runs = [];
    this.size -= 1;
  }
}

export function hasRunInProgress(event: StoredEvent, now: number): boolean {
  return event.runs.some(({ record }) => isRunning(record, now));
}

/** Whether a run is in progress, or workers have one: it was acknowledged, so forgetting it would lose it. */
export function hasWorkLeft(event: StoredEvent, now: number): boolean {
  return event.runs.some(({ record }) => isRunning(record, now) || record.dueAt !== undefined);
}

export function toEntry({ endpoint, eventId, type, occurredAt, receivedAt, runs }: StoredEvent): InboxEntry {
  return {
    endpoint,
    eventId,
    type,
    occurredAt,
    receivedAt: new Date(receivedAt),
    runs: runs.map(({ handlerId, record: { state, attempts, updatedAt, error } }) => ({
      handlerId,
      state,
      attempts,
      updatedAt: new Date(updatedAt),
      ...(error && { error }),
    })),
  };
}
