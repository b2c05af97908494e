import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { digitsFor } from '../samples/create-scalekit-event.js';
import {
  type ResolvedSimulatorOptions,
  type SimulatedAttempt,
  type SimulatedStatus,
  waitsOf,
} from './delivery-simulator.options.js';
import { type Destination, post, type SimulatedSecrets } from './tested-endpoint.js';

/** An event to send, for example from `createScalekitEvent`. */
export interface SimulatedPayload {
  readonly id: string;
  readonly type: string;
  /** When it happened. Required with the `outage` option. */
  readonly occurred_at?: string;
}

/** What a {@link SimulationRun} needs. */
interface SimulationRunOptions {
  readonly options: ResolvedSimulatorOptions;
  readonly destinations: readonly Destination[];
  readonly secrets: SimulatedSecrets;
  readonly events: readonly SimulatedPayload[];
  readonly signal?: AbortSignal;
}

/** Sends every copy until it is acknowledged or out of attempts, or the simulation is aborted. */
export class SimulationRun {
  /** The attempts of each event, by its index. */
  readonly attempts: SimulatedAttempt[][];
  /** The indexes of events with a copy that was aborted. */
  readonly aborted = new Set<number>();
  readonly #slots: Slots;
  readonly #waits: readonly number[];
  readonly #abort = new AbortController();
  readonly #startedAt = performance.now();
  #begun = 0;
  #turn = 0;

  constructor(private readonly setup: SimulationRunOptions) {
    const { concurrency, schedule, timeScale } = setup.options;
    this.attempts = setup.events.map(() => []);
    this.#slots = new Slots(concurrency);
    this.#waits = waitsOf(schedule, timeScale);
    // Every copy that waits for its retry listens to the signal.
    setMaxListeners(0, this.#abort.signal);
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  async send(copies: readonly PlannedCopy[]): Promise<void> {
    const { events, signal } = this.setup;
    const bodies = events.map((event) => JSON.stringify(event));
    const abort = () => this.#abort.abort();
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    await Promise.all(copies.map((copy) => this.#sendCopy(copy, bodies[copy.index] ?? '', copies.length)));
    signal?.removeEventListener('abort', abort);
  }

  async #sendCopy(copy: PlannedCopy, body: string, copies: number): Promise<void> {
    const { signal } = this.#abort;
    for (const [retries, wait] of this.#waits.entries()) {
      if (wait > 0) await delay(wait, undefined, { signal }).catch(() => undefined);
      const acknowledged = await this.#slots.run(retries === 0, async () => {
        if (signal.aborted) return undefined;
        if (retries === 0) this.#begun += 1;
        return this.#attempt(copy, retries + 1, body, (this.#begun - 1) / copies);
      });
      if (acknowledged === undefined) this.aborted.add(copy.index);
      if (acknowledged !== false) return;
    }
  }

  async #attempt({ index, copy }: PlannedCopy, attempt: number, body: string, share: number) {
    const { options, destinations, secrets, events } = this.setup;
    const { id: eventId = '' } = events[index] ?? {};
    const destination = destinations[this.#turn++ % destinations.length];
    if (!destination) throw new Error('There is nowhere to send events to.');
    const sentAt = this.elapsedMs;
    const id = `msg_${digitsFor(String(options.seed), eventId, String(copy), String(attempt))}`;
    const headers = secrets.sign(share, { payload: body, id, scheme: options.scheme });
    const status = this.#isDown(index, attempt)
      ? 'outage'
      : await statusOf(destination, body, headers, options.timeoutMs);
    const acknowledged = typeof status === 'number' && options.success.includes(status);
    const durationMs = this.elapsedMs - sentAt;
    const record = {
      eventId,
      copy,
      attempt,
      url: destination.url.href,
      status,
      sentAt,
      durationMs,
      acknowledged,
    };
    this.attempts[index]?.push(record);
    options.onAttempt?.(record);
    return acknowledged;
  }

  /** Whether an attempt is due during the outage. What is due does not depend on how fast the simulation runs. */
  #isDown(index: number, attempt: number): boolean {
    const { outage, schedule } = this.setup.options;
    if (!outage) return false;
    const waits = waitsOf(schedule, 1).slice(0, attempt);
    const due = waits.reduce(
      (time, wait) => time + wait,
      Date.parse(this.setup.events[index]?.occurred_at ?? ''),
    );
    return due >= outage.from.getTime() && due < outage.until.getTime();
  }
}

async function statusOf(
  destination: Destination,
  body: string,
  headers: Record<string, string>,
  timeoutMs: number,
): Promise<SimulatedStatus> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return (await post(destination, Buffer.from(body), headers, signal)).status;
  } catch {
    return signal.aborted ? 'timeout' : 'unreachable';
  }
}

/** One of the copies in which an event is sent. */
interface PlannedCopy {
  /** The index of the event. */
  readonly index: number;
  /** Which copy of the event it is, from 1. */
  readonly copy: number;
}

interface PlanOptions {
  readonly duplicates: number;
  readonly reorder: boolean;
  readonly seed: number;
}

/** The copies to send, in the order of their first deliveries. The same seed makes the same plan. */
export function planCopies(events: number, { duplicates, reorder, seed }: PlanOptions): PlannedCopy[] {
  const random = seededRandom(seed);
  const planned = Array.from({ length: events }, (_, index) => {
    const copies = 1 + Math.floor(random() * duplicates);
    return Array.from({ length: copies }, (_, before) => ({ index, copy: before + 1 }));
  }).flat();
  return reorder ? shuffled(planned, random) : planned;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** A pseudo-random number generator (mulberry32). Its numbers are at least 0 and less than 1. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Limits how many requests are sent at once. Retries come before first deliveries; both wait in order of arrival. */
export class Slots {
  readonly #firstDeliveries = new Set<() => void>();
  readonly #retries = new Set<() => void>();

  constructor(private free: number) {}

  async run<T>(isFirst: boolean, work: () => Promise<T>): Promise<T> {
    const waiting = isFirst ? this.#firstDeliveries : this.#retries;
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((enter) => waiting.add(enter));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    const waiting = this.#retries.size > 0 ? this.#retries : this.#firstDeliveries;
    const { value: enter } = waiting.values().next();
    if (!enter) {
      this.free += 1;
      return;
    }
    waiting.delete(enter);
    enter();
  }
}
