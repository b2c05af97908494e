import { setImmediate as turn } from 'node:timers/promises';
import { leaseMsFor } from '../dispatch/claimed-run.js';
import type {
  EndpointRuns,
  EventTransport,
  HandlerRetries,
  InboxWork,
  TakenRun,
  WorkLimits,
} from '../dispatch/event-transport.js';
import { InlineTransport } from '../dispatch/run.engine.js';
import { waitAtMost } from '../dispatch/timeout.js';
import {
  checkOptions,
  type OptionChecks,
  optional,
  requireBackoff,
  requireDurationMs,
  requirePositiveInteger,
} from '../errors/settings.js';
import type { RunSettlement } from '../inbox/inbox-store.js';

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

/** Options of an {@link InboxTransport}. All are optional. */
export interface InboxTransportOptions {
  /**
   * Whether this process executes runs, and how many at once; 10 by default. With `false`, it only receives events, so that
   * one image can serve as a web process and as a worker. If several endpoints share a transport, each of them executes that
   * many.
   * @default true
   */
  worker?: boolean | { readonly concurrency?: number };
  /**
   * The maximum number of attempts at a run before it is dead, including the first.
   * @default 8
   */
  attempts?: number;
  /**
   * How long to wait before each retry: a fixed time in ms, or how the wait grows. An exponential wait is at most an hour,
   * and up to half of it is random.
   * @default exponential, starting at 10000 ms: 8 attempts within 10 to 21 minutes
   */
  backoff?: HandlerRetries['backoff'];
  /**
   * How long a handler may take, in ms. Scalekit does not wait for it.
   * @default 60000
   */
  handlerTimeoutMs?: number;
  /**
   * How often to look for due runs while there are none, in ms. Events that this process receives are noticed at once. Those
   * that other processes receive, and retries, are noticed when it looks.
   * @default 1000
   */
  pollIntervalMs?: number;
}

const WORKER_CHECKS: OptionChecks<{ readonly concurrency?: number }> = {
  concurrency: optional(requirePositiveInteger),
};

const CHECKS: OptionChecks<InboxTransportOptions> = {
  worker: optional((setting, value) => {
    if (typeof value !== 'boolean') checkOptions(value, WORKER_CHECKS, setting);
  }),
  attempts: optional(requirePositiveInteger),
  backoff: optional(requireBackoff),
  handlerTimeoutMs: optional(requireDurationMs),
  pollIntervalMs: optional(requireDurationMs),
};

const DEFAULTS: WorkerOptions = {
  concurrency: 10,
  attempts: 8,
  backoff: { type: 'exponential', delayMs: 10_000 },
  timeoutMs: 60_000,
  pollIntervalMs: 1000,
};

/**
 * Executes handlers in the background, from the inbox itself: a delivery is answered with 202 once its event and its runs
 * are committed, and workers take the runs from there, in this process or in others. Needs no queue. The inbox must be a
 * `PostgresInboxStore` or a `SqliteInboxStore`; with a `MemoryInboxStore`, the runs that wait are lost at a restart.
 *
 * @example
 * ScalekitWebhooksModule.forRoot({
 *   inbox: new PostgresInboxStore({ client: pool, application: 'billing' }),
 *   transport: new InboxTransport({ worker: { concurrency: 5 } }),
 * });
 */
export class InboxTransport implements EventTransport {
  readonly spansProcesses = true;
  /** @internal */
  readonly inboxWork: InboxWorkers;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: InboxTransportOptions = {}) {
    const {
      worker = true,
      attempts = DEFAULTS.attempts,
      backoff = DEFAULTS.backoff,
      handlerTimeoutMs: timeoutMs = DEFAULTS.timeoutMs,
      pollIntervalMs = DEFAULTS.pollIntervalMs,
    } = checkOptions(options, CHECKS);
    const { concurrency = DEFAULTS.concurrency } =
      typeof worker === 'object' ? checkOptions(worker, WORKER_CHECKS, 'worker') : {};
    this.inboxWork = new InboxWorkers(
      { concurrency, attempts, backoff, timeoutMs, pollIntervalMs },
      worker !== false,
    );
  }

  /**
   * Starts nothing: deliveries hand their runs to the inbox.
   *
   * @internal
   */
  start(): readonly Promise<RunSettlement>[] {
    return [];
  }

  /** Takes no more runs. Resolves when those in progress have ended, at the latest after `handlerTimeoutMs`. */
  close(): Promise<void> {
    return this.inboxWork.close();
  }
}

// Longer than the longest wait in all of Scalekit's schedules but that of 28 hours. With that one, a worker can retry the run
// sooner than Scalekit.
const SENDER_GIVES_UP_IN_MS = 30 * 60 * 1000;
// The wait is long, so there is no hurry to notice its end.
const RETRY_POLL_INTERVAL_MS = 10_000;

/** Executes handlers within the request, and takes those runs from the inbox that Scalekit no longer retries. */
export class RetryFailedTransport extends InlineTransport implements EventTransport {
  readonly inboxWork: InboxWorkers;

  constructor(handlerTimeoutMs: number) {
    super();
    const options = { ...DEFAULTS, timeoutMs: handlerTimeoutMs, pollIntervalMs: RETRY_POLL_INTERVAL_MS };
    this.inboxWork = new InboxWorkers(options, true, SENDER_GIVES_UP_IN_MS);
  }

  close(): Promise<void> {
    return this.inboxWork.close();
  }
}
