import type { InboxEvent } from './inbox-store.js';
import type { DueRequest, DueRun, DueRuns } from './inbox-work.js';
import { type StoredEvent, type StoredRun, unsettled } from './memory-events.js';
import { isRunning, takeRun } from './run-states.js';

/** The events whose runs workers of the memory store can take. */
export class MemoryWork {
  /** By endpoint. An event leaves when a worker finds that none of its runs is left. */
  readonly #events = new Map<string, Set<StoredEvent>>();
  readonly #paused = new Set<string>();

  add(stored: StoredEvent, { payload, delivery }: InboxEvent): void {
    stored.payload ??= payload;
    stored.delivery ??= delivery;
    const ofEndpoint = this.#events.get(stored.endpoint) ?? new Set();
    this.#events.set(stored.endpoint, ofEndpoint.add(stored));
  }

  take({ endpoint, handlerIds, limit, lease }: DueRequest, now: number): DueRuns {
    if (this.#paused.has(endpoint)) return { runs: [], isPaused: true };
    const first = this.#due(endpoint, now)
      .filter(({ event, run }) => !run.place || this.#isFirst(event, run, now))
      .filter(({ run }) => handlerIds.includes(run.handlerId))
      .sort((one, other) => one.dueAt - other.dueAt)
      .slice(0, limit);
    const runs = first.map(({ event, run }) => {
      run.record = takeRun(run.record, lease, now) ?? run.record;
      return toDueRun(event, run);
    });
    return { runs, isPaused: false };
  }

  /** How many runs of other handlers have been due since a time, by handler id. */
  stranded(endpoint: string, handlerIds: readonly string[], since: number): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { run } of this.#due(endpoint, since)) {
      const { handlerId } = run;
      if (!handlerIds.includes(handlerId)) counts.set(handlerId, (counts.get(handlerId) ?? 0) + 1);
    }
    return counts;
  }

  setPaused(endpoint: string, isPaused: boolean): void {
    if (isPaused) this.#paused.add(endpoint);
    else this.#paused.delete(endpoint);
  }

  isPaused(endpoint: string): boolean {
    return this.#paused.has(endpoint);
  }

  /** Whether it is the turn of a run with a place: no other run of its key comes first, or is in progress. */
  #isFirst(event: StoredEvent, run: StoredRun, now: number): boolean {
    const others = [...(this.#events.get(event.endpoint) ?? [])].flatMap((other) =>
      other.runs
        .filter(({ handlerId, place }) => handlerId === run.handlerId && place?.key === run.place?.key)
        .filter(({ record }) => record.dueAt !== undefined)
        .map(({ record, place }) => ({ record, at: place?.occurredAt ?? 0, position: other.position })),
    );
    const own = { at: run.place?.occurredAt ?? 0, position: event.position };
    const isBefore = (other: typeof own) =>
      other.at === own.at ? other.position < own.position : other.at < own.at;
    return !others.some((other) => isBefore(other) || isRunning(unsettled(other.record), now));
  }

  #due(endpoint: string, at: number): DueEntry[] {
    const due: DueEntry[] = [];
    const events = this.#events.get(endpoint);
    for (const event of events ?? []) {
      const left = event.runs.flatMap((run) => {
        const { dueAt } = run.record;
        return dueAt === undefined ? [] : { event, run, dueAt };
      });
      // A run that `complete` has recorded is done, although workers get it back if its handler fails afterwards.
      due.push(...left.filter(({ run, dueAt }) => dueAt <= at && run.record.state !== 'done'));
      if (left.length > 0) continue;
      event.payload = undefined;
      events?.delete(event);
    }
    return due;
  }
}

interface DueEntry {
  readonly event: StoredEvent;
  readonly run: StoredRun;
  readonly dueAt: number;
}

function toDueRun(event: StoredEvent, { handlerId, record, place }: StoredRun): DueRun {
  const { endpoint, eventId, type, occurredAt, receivedAt, payload = new Uint8Array(), delivery } = event;
  return {
    endpoint,
    eventId,
    type,
    occurredAt,
    payload,
    ...(delivery && { delivery }),
    receivedAt: new Date(receivedAt),
    handlerId,
    attempt: record.attempts,
    workerAttempt: record.workerAttempts,
    ...(place && { orderKey: place.key }),
  };
}
