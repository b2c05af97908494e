import type { EventTransport, HandlerRetries } from '../dispatch/event-transport.js';
import { InlineTransport } from '../dispatch/run.engine.js';
import {
  checkOptions,
  type OptionChecks,
  optional,
  requireBackoff,
  requireDurationMs,
  requirePositiveInteger,
} from '../errors/settings.js';
import type { RunSettlement } from '../inbox/inbox-store.js';
import { InboxWorkers, type WorkerOptions } from './inbox.worker.js';

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

// Longer than the longest pause between two deliveries in Scalekit's schedules of 16 and 22 minutes. With the schedule of 28
// hours, a worker retries the run sooner than Scalekit.
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
