import { setImmediate as turn } from 'node:timers/promises';
import { leaseMsFor } from '../dispatch/claimed-run.js';
import type { EndpointRuns, InboxWork, TakenRun, WorkLimits } from '../dispatch/event-transport.js';
import { waitAtMost } from '../dispatch/timeout.js';

/** How an endpoint's due runs are worked on. */
export interface WorkerOptions extends WorkLimits {
  /** How many runs are executed at once. */
  readonly concurrency: number;
  /** How long to wait before the inbox is asked again, when nothing was due, in ms. */
  readonly pollIntervalMs: number;
}

// The runs of a process that has died are due again after this time. Leases of slow handlers are extended.
const LONGEST_LEASE_MS = 30_000;
const STRANDED_INTERVAL_MS = 10 * 60 * 1000;

/** Takes the due runs of one endpoint and executes them, as many at once as it may. */
class InboxWorker {
  /** The attempts that have not ended, and those that are not recorded yet. */
  readonly #inProgress = new Set<Promise<void>>();
  #attempts = 0;
  readonly #leaseMs: number;
  #isClosing = false;
  #isWoken = false;
  #endRest = () => {};
  #mayHaveMore = false;
  #nextReportAt = 0;
  #tookAt = Date.now();

  readonly #runs: EndpointRuns;
  readonly #options: WorkerOptions;

  constructor(runs: EndpointRuns, options: WorkerOptions) {
    this.#runs = runs;
    this.#options = options;
    this.#leaseMs = Math.min(leaseMsFor(options.timeoutMs), LONGEST_LEASE_MS);
  }

  /** Works until it is closed and the runs in progress have ended. Never rejects. */
  async work(): Promise<void> {
    while (!this.#isClosing) {
      this.#isWoken = false;
      // Attempts that end together make room together.
      await turn();
      await this.#fill();
      if (!this.#isWoken) await this.#rest();
    }
    await Promise.all(this.#inProgress);
  }

  /** Looks for due runs at once. */
  wake(): void {
    this.#isWoken = true;
    this.#endRest();
  }

  /** How long ago it took runs or found none, in ms. 0 while it has no room for more. */
  get silentForMs(): number {
    return this.#attempts >= this.#options.concurrency ? 0 : Date.now() - this.#tookAt;
  }

  /** Takes no more runs. */
  close(): void {
    this.#isClosing = true;
    this.wake();
  }

  /** Takes as many runs as there is room for. */
  async #fill(): Promise<void> {
    const { concurrency } = this.#options;
    // While ended attempts are being recorded, others take their places. If the inbox records nothing, it gives no more.
    const room = Math.min(concurrency - this.#attempts, 2 * concurrency - this.#inProgress.size);
    if (room <= 0) return;
    const taken = await this.#runs.take(room, this.#leaseMs);
    if (taken) this.#tookAt = Date.now();
    this.#mayHaveMore = taken?.length === room;
    for (const run of taken ?? []) this.#begin(run);
    if (taken && Date.now() >= this.#nextReportAt) {
      this.#nextReportAt = Date.now() + STRANDED_INTERVAL_MS;
      await this.#runs.reportStranded();
    }
  }

  #begin(run: TakenRun): void {
    const performing = this.#isClosing ? run.release() : this.#perform(run);
    const ending = performing.then((heldBackAnother) => {
      this.#inProgress.delete(ending);
      if (this.#mayHaveMore || heldBackAnother) this.wake();
    });
    this.#inProgress.add(ending);
  }

  #perform(run: TakenRun): Promise<boolean> {
    this.#attempts += 1;
    return run.perform(this.#options, () => {
      this.#attempts -= 1;
      if (this.#mayHaveMore) this.wake();
    });
  }

  /** Waits until it is woken, or until it is time to ask again. */
  async #rest(): Promise<void> {
    const restMs = Math.max(this.#options.pollIntervalMs, this.#runs.backsOffForMs);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, restMs);
      this.#endRest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The workers of the endpoints that share a transport. */
export class InboxWorkers implements InboxWork {
  readonly #options: WorkerOptions;
  readonly #workers = new Map<string, InboxWorker>();
  readonly #working = new Set<Promise<void>>();

  /**
   * @param hasWorker whether this process takes runs
   * @param retriesInMs see `InboxWork`
   */
  constructor(
    options: WorkerOptions,
    readonly hasWorker: boolean,
    readonly retriesInMs?: number,
  ) {
    this.#options = options;
  }

  start(runs: EndpointRuns): void {
    if (!this.hasWorker) return;
    const worker = new InboxWorker(runs, this.#options);
    this.#workers.set(runs.endpoint, worker);
    this.#working.add(worker.work());
  }

  silentForMs(endpoint: string): number | undefined {
    return this.#workers.get(endpoint)?.silentForMs;
  }

  wake(endpoint: string): void {
    this.#workers.get(endpoint)?.wake();
  }

  /** Takes no more runs. Resolves when those in progress have ended, or when no handler has any time left. */
  async close(): Promise<void> {
    for (const worker of this.#workers.values()) worker.close();
    await waitAtMost(Promise.all(this.#working), this.#options.timeoutMs);
  }
}
