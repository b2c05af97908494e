import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ResolvedSimulatorOptions } from './delivery-simulator.options.js';
import type { PlannedCopy } from './delivery-simulator.plan.js';
import type { SimulatedAttempt, SimulatedStatus } from './delivery-simulator.report.js';
import { waitsOf } from './delivery-simulator.schedule.js';
import type { SimulatedSecrets } from './delivery-simulator.secrets.js';
import { Slots } from './delivery-simulator.slots.js';
import { digitsFor } from './fill-sample.js';

/** What can be sent: an event as `createScalekitEvent` makes it. */
export interface SimulatedPayload {
  readonly id: string;
  readonly type: string;
}

/** What a simulation is made of. */
export interface SimulationRunOptions {
  readonly options: ResolvedSimulatorOptions;
  readonly urls: readonly string[];
  readonly secrets: SimulatedSecrets;
  readonly events: readonly SimulatedPayload[];
  readonly signal?: AbortSignal;
}

/** Sends every copy until it is acknowledged, its attempts are spent, or the simulation is aborted. */
export class SimulationRun {
  readonly attempts: SimulatedAttempt[][];
  /** Positions of the events with a copy that was aborted. */
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
    // Every copy that waits for its retry listens.
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
    const { options, urls, secrets, events } = this.setup;
    const { id: eventId = '' } = events[index] ?? {};
    const url = urls[this.#turn++ % urls.length] ?? '';
    const sentAt = this.elapsedMs;
    const id = `msg_${digitsFor(String(options.seed), eventId, String(copy), String(attempt))}`;
    const headers = secrets.sign(share, { payload: body, id, scheme: options.scheme });
    const status = await post(url, body, headers, options.timeout);
    const acknowledged = typeof status === 'number' && options.success.includes(status);
    const durationMs = this.elapsedMs - sentAt;
    const record = { eventId, copy, attempt, url, status, sentAt, durationMs, acknowledged };
    this.attempts[index]?.push(record);
    options.onAttempt?.(record);
    return acknowledged;
  }
}

async function post(
  url: string,
  body: string,
  headers: Record<string, string>,
  timeoutMs: number,
): Promise<SimulatedStatus> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      redirect: 'manual',
      signal,
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return signal.aborted ? 'timeout' : 'unreachable';
  }
}
