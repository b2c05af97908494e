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
    if (stored.erasedAt === undefined) {
      stored.payload ??= payload;
      stored.delivery ??= delivery;
    }
    const ofEndpoint = this.#events.get(stored.endpoint) ?? new Set();
    this.#events.set(stored.endpoint, ofEndpoint.add(stored));
  }

  take({ endpoint, handlerIds, limit, lease }: DueRequest, now: number): DueRuns {
    if (this.#paused.has(endpoint)) return { runs: [], isPaused: true };
    const turns = this.#turns(endpoint, now);
    const first = this.#due(endpoint, now)
      .filter(({ run }) => !run.place || turns.has(run))
      .filter(({ run }) => handlerIds.includes(run.handlerId))
      .sort((one, other) => one.dueAt - other.dueAt)
      .slice(0, limit);
    const runs = first.map(({ event, run }) => {
      const { error } = run.record;
      run.record = takeRun(run.record, lease, now) ?? run.record;
      return { ...toDueRun(event, run), ...(error && { lastError: error }) };
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

  /** Of each handler and order key, the run that comes first, unless one is in progress. */
  #turns(endpoint: string, now: number): ReadonlySet<StoredRun> {
    const turns = new Map<string, DueEntry & { isHeld: boolean }>();
    for (const event of this.#events.get(endpoint) ?? []) {
      for (const run of event.runs) {
        const { handlerId, place, record } = run;
        const { dueAt } = record;
        const isInProgress = isRunning(unsettled(record), now);
        if (!place || dueAt === undefined || (record.state === 'done' && !isInProgress)) continue;
        const line = JSON.stringify([handlerId, place.key]);
        const known = turns.get(line);
        const isHeld = (known?.isHeld ?? false) || isInProgress;
        const isFirst = !known || place.occurredAt < (known.run.place?.occurredAt ?? 0);
        turns.set(line, isFirst ? { event, run, dueAt, isHeld } : { ...known, isHeld });
      }
    }
    return new Set([...turns.values()].filter(({ isHeld }) => !isHeld).map(({ run }) => run));
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
  const { endpoint, eventId, type, occurredAt, receivedAt, payload, delivery } = event;
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
