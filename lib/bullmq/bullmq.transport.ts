import { setTimeout as pause } from 'node:timers/promises';
import { DelayedError, type Job, type Queue, UnrecoverableError, Worker, type WorkerOptions } from 'bullmq';
import { LogWriter } from '../dispatch/delivery.log.js';
import type {
  EventTransport,
  HandlerBatch,
  HandlerRetries,
  QueuedRunEnd,
  QueuedRunner,
} from '../dispatch/event-transport.js';
import { LogThrottle, reportFailure, toRunError } from '../dispatch/handler-failure.js';
import { idempotencyKey } from '../dispatch/scalekit-delivery.js';
import { waitAtMost } from '../dispatch/timeout.js';
import {
  checkOptions,
  type OptionChecks,
  objectWith,
  optional,
  requireBackoff,
  requireDurationMs,
  requirePositiveInteger,
} from '../errors/settings.js';
import type { RunSettlement } from '../inbox/inbox-store.js';
import { QueueEndpoint, type RunJobData, toBullMqBackoff, toJobData, toQueuedRun } from './bullmq.runs.js';

/** Log messages: what happened, then what to do. None contains a secret or a payload. */
const MESSAGES = {
  queueFailed: 'The queue reported an error',
  endpointGone: (endpoint: string) =>
    `This process has no endpoint "${endpoint}", which the job is for. Add the endpoint to every worker of the queue, then retry the jobs that have failed.`,
  jobUnreadable: (name: string, message: string) =>
    `The job's event cannot be read (${name}: ${message}). Replay the event from the inbox.`,
  errorIsInInbox: (eventId: string) =>
    `The inbox has the message of this error: see the entry of ${eventId}, or the log.`,
  jobPutBack: (reason: string) => `A job goes back to the queue. ${reason}`,
  jobGivenUp: (reason: string) => `No process could run the job for an hour. ${reason}`,
} as const;

/** Options of a {@link BullMqTransport}. */
export interface BullMqTransportOptions {
  /**
   * The queue, from `@InjectQueue()` of `@nestjs/bullmq` or from `new Queue()`. Every process that works on it should
   * have all endpoints that fill it: a process without a job's endpoint puts the job back for another process. A job that
   * no process can run within an hour fails.
   */
  queue: Queue;
  /**
   * Whether this process works on the queue, and how. With `false`, it only fills the queue, so that one image can serve
   * as a web process and as a worker. If several endpoints share a queue, each transport has a worker of its own, and
   * each worker takes the jobs of all endpoints: their `concurrency` adds up.
   * @default true
   */
  worker?: boolean | Pick<WorkerOptions, 'concurrency' | 'lockDuration' | 'stalledInterval' | 'limiter'>;
  /**
   * The maximum number of attempts at a run before it is dead, including the first.
   * @default 8
   */
  attempts?: number;
  /**
   * How long to wait before each retry: a fixed time in ms, or how the wait grows.
   * @default exponential, starting at 1000 ms
   */
  backoff?: HandlerRetries['backoff'];
  /**
   * How long a handler may take in a worker, in ms. Scalekit does not wait for it.
   * @default 60000
   */
  handlerTimeoutMs?: number;
}

const LIMITER_CHECKS = { max: requirePositiveInteger, duration: requireDurationMs };

const WORKER_CHECKS = {
  concurrency: optional(requirePositiveInteger),
  lockDuration: optional(requireDurationMs),
  stalledInterval: optional(requireDurationMs),
  limiter: optional((setting, value) => checkOptions(value, LIMITER_CHECKS, setting)),
};

const CHECKS: OptionChecks<BullMqTransportOptions> = {
  queue: objectWith('addBulk'),
  worker: optional((setting, value) => {
    if (typeof value !== 'boolean') checkOptions(value, WORKER_CHECKS, setting);
  }),
  attempts: optional(requirePositiveInteger),
  backoff: optional(requireBackoff),
  handlerTimeoutMs: optional(requireDurationMs),
};

// The inbox knows how runs ended, so finished jobs are not kept forever.
const KEEP_FINISHED = { age: 24 * 60 * 60, count: 10_000 };
// How long a worker keeps a job while no inbox can be reached, so that it does not take and put back the whole queue.
const HOLD_BACK_MS = 500;
// How long a job that this process cannot run waits for another process: longer each time, and not forever.
const SHORTEST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;
const GIVE_UP_AFTER_MS = 60 * 60 * 1000;
// How long BullMQ may take to let go of the queue once no run is in progress.
const CLOSE_GRACE_MS = 2000;

/**
 * Runs handlers as jobs of a BullMQ queue, one job for each event and handler. A delivery is answered with 202 once
 * Redis has stored all of its jobs. All processes must share the inbox. Jobs contain ids, and workers read the event from the
 * inbox. Jobs contain the event only if you use an inbox of your own that has no `delivery()`.
 */
export class BullMqTransport implements EventTransport {
  readonly spansProcesses = true;
  readonly #options: Required<Omit<BullMqTransportOptions, 'worker'>>;
  readonly #workerOptions: Partial<WorkerOptions> | undefined;
  readonly #log = new LogWriter('ScalekitWebhooks:bullmq');
  readonly #endpoints = new Map<string, QueueEndpoint>();
  readonly #jobs = new Set<Promise<unknown>>();
  readonly #throttle = new LogThrottle();
  readonly #closing = new AbortController();
  #worker?: Worker<RunJobData>;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: BullMqTransportOptions) {
    const {
      queue,
      worker = true,
      attempts = 8,
      backoff = { type: 'exponential', delayMs: 1000 },
      handlerTimeoutMs = 60_000,
    } = checkOptions(options, CHECKS);
    this.#options = { queue, attempts, backoff, handlerTimeoutMs };
    this.#workerOptions = worker === false ? undefined : worker === true ? {} : worker;
  }

  start(batch: HandlerBatch): readonly Promise<RunSettlement>[] {
    const { queue, attempts, backoff } = this.#options;
    const { removeOnComplete = KEEP_FINISHED, removeOnFail = KEEP_FINISHED } =
      queue.opts.defaultJobOptions ?? {};
    const jobs = batch.runs.map((run) => ({
      name: batch.event.type,
      data: toJobData(batch, run.handlerId),
      opts: {
        // BullMQ drops a job whose id it has seen, so each claim has its own ids. The inbox keeps each run single.
        jobId: `${idempotencyKey(batch.endpoint, batch.event.id, run.handlerId)}-${batch.leaseToken}`,
        attempts: run.attempts ?? attempts,
        backoff: toBullMqBackoff(run.backoff ?? backoff),
        removeOnComplete,
        removeOnFail,
      },
    }));
    const added = queue.addBulk(jobs);
    return batch.runs.map(async ({ handlerId }): Promise<RunSettlement> => {
      await added;
      return { handlerId, state: 'queued' };
    });
  }

  work(endpoint: string, runner: QueuedRunner): void {
    if (!this.#workerOptions) return;
    const { queue, handlerTimeoutMs } = this.#options;
    this.#endpoints.set(endpoint, new QueueEndpoint(queue, endpoint, runner, handlerTimeoutMs));
    if (this.#worker) return;
    this.#worker = new Worker<RunJobData>(
      queue.name,
      (job, token) => this.#track(this.#perform(job, token)),
      {
        ...this.#workerOptions,
        connection: queue.opts.connection,
        // By default BullMQ gives up a job when its worker is killed for the second time, and the event would be lost.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        ...(queue.opts.prefix !== undefined && { prefix: queue.opts.prefix }),
      },
    );
    // Without a listener, a lost connection would end the process. BullMQ reconnects by itself.
    this.#worker.on('error', (error) => this.#reportError(error));
  }

  /** Takes no more jobs. Resolves when the jobs of its worker and the runs of its endpoints have ended. */
  async close(): Promise<void> {
    this.#closing.abort();
    const endpoints = [...this.#endpoints.values()];
    const runs = endpoints.flatMap((endpoint) => endpoint.close());
    const closed = this.#worker?.close().catch((error) => this.#reportError(error));
    if (!closed) return;
    await waitAtMost(Promise.allSettled([...this.#jobs, ...runs]), this.#options.handlerTimeoutMs);
    // A worker that cannot reach Redis would wait for it forever.
    await waitAtMost(closed, CLOSE_GRACE_MS);
    for (const endpoint of endpoints) endpoint.leave();
  }

  async #perform(job: Job<RunJobData>, token: string | undefined): Promise<void> {
    const end = await this.#attempt(job);
    if (end.state === 'done') return;
    if (end.state === 'busy' || end.state === 'unavailable') {
      const retryAt = Date.now() + end.retryInMs;
      if (end.state === 'unavailable') await this.#holdBack();
      await job.moveToDelayed(retryAt, token);
      throw new DelayedError();
    }
    const message = `${end.error.name}: ${end.error.message}`;
    throw end.state === 'dead' ? new UnrecoverableError(message) : new Error(message);
  }

  async #attempt(job: Job<RunJobData>): Promise<QueuedRunEnd> {
    const { queue } = this.#options;
    const { endpoint, unrunnableSince } = job.data;
    const owner = this.#endpoints.get(endpoint) ?? QueueEndpoint.find(queue, endpoint);
    if (!owner) return this.#postpone(job, MESSAGES.endpointGone(endpoint));
    const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    try {
      const end = await owner.attempt(toQueuedRun(job.data, job.name), isLast);
      if (unrunnableSince !== undefined) await this.#setUnrunnableSince(job, undefined);
      // BullMQ stores the error in the job, where it could not be erased.
      return 'error' in end
        ? { ...end, error: { ...end.error, message: MESSAGES.errorIsInInbox(job.data.eventId) } }
        : end;
    } catch (error) {
      const { name, message } = toRunError(error);
      return this.#postpone(job, MESSAGES.jobUnreadable(name, message));
    }
  }

  /** Leaves a job that this process cannot run to another one, but not forever. It does not use up an attempt. */
  async #postpone(job: Job<RunJobData>, reason: string): Promise<QueuedRunEnd> {
    const { unrunnableSince = new Date().toISOString() } = job.data;
    const waitedMs = Date.now() - Date.parse(unrunnableSince);
    if (waitedMs >= GIVE_UP_AFTER_MS) {
      const message = MESSAGES.jobGivenUp(reason);
      this.#report(message);
      return { state: 'dead', error: { name: 'JobGivenUp', message } };
    }
    this.#report(MESSAGES.jobPutBack(reason));
    if (job.data.unrunnableSince === undefined) await this.#setUnrunnableSince(job, unrunnableSince);
    const waitMs = Math.min(Math.max(waitedMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
    return { state: 'busy', retryInMs: Math.ceil(waitMs * (0.5 + Math.random() / 2)) };
  }

  async #setUnrunnableSince(job: Job<RunJobData>, unrunnableSince: string | undefined): Promise<void> {
    try {
      await job.updateData({ ...job.data, unrunnableSince });
    } catch (error) {
      this.#reportError(error);
    }
  }

  /** Waits before a job is put back, unless another endpoint could use the time. */
  async #holdBack(): Promise<void> {
    if (!QueueEndpoint.areAllUnavailable(this.#options.queue)) return;
    await pause(HOLD_BACK_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
  }

  #track<T>(job: Promise<T>): Promise<T> {
    this.#jobs.add(job);
    return job.finally(() => this.#jobs.delete(job));
  }

  #reportError(error: unknown): void {
    const { name, message } = toRunError(error);
    this.#throttle.write(`${name}: ${message}`, (note) =>
      this.#log.write('error', MESSAGES.queueFailed, { failure: reportFailure(error), note }),
    );
  }

  #report(text: string): void {
    this.#throttle.write(text, (note) => this.#log.write('error', text, { note }));
  }
}
