import type { InboxEntry, InboxEvent } from './inbox-store.js';
import { isRunning, type RunRecord } from './run-states.js';

/** An event as the memory store keeps it. */
export interface StoredEvent extends Omit<InboxEvent, 'payload'> {
  readonly receivedAt: number;
  /** Its place in the order in which events were received, from 1. */
  readonly position: number;
  /** A list, extended by `concat`: most events have one or two runs, and a `Map` or `push` reserves memory for more. */
  runs: { readonly handlerId: string; record: RunRecord }[];
  /** The next event in the same queue. */
  next: StoredEvent | undefined;
}

/** Events linked by `next`, so that the first is removed in constant time. */
export class EventQueue {
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

export function hasRunInProgress(event: StoredEvent, now: number): boolean {
  return event.runs.some(({ record }) => isRunning(record, now));
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
