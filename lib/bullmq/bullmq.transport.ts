import { Logger } from '@nestjs/common';
import {
  type BackoffOptions,
  DelayedError,
  type Job,
  type Queue,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import type {
  EventTransport,
  HandlerBatch,
  HandlerRetries,
  QueuedRun,
  QueuedRunEnd,
  QueuedRunner,
} from '../dispatch/event-transport.js';
import { toHandlerError } from '../dispatch/handler-failure.js';
import { idempotencyKey } from '../dispatch/scalekit-delivery.js';
import { waitAtMost } from '../dispatch/timeout.js';
import type { RunSettlement } from '../inbox/inbox-store.js';

const MESSAGES = {
  queueWithoutEndpoint: (endpoint: string) => `This process has no endpoint "${endpoint}" to work for.`,
} as const;

/** What a job carries: the event as it was received, and the way back to its row in the inbox. */
interface RunJobData {
  readonly endpoint: string;
  readonly eventId: string;
  readonly handlerId: string;
  /** The body's text; what was accepted is UTF-8, so its bytes can be made again. */
  readonly body: string;
  readonly deliveryId: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly leaseToken: string;
}

/** The job of one handler of a batch. */
function toJobData(batch: HandlerBatch, handlerId: string): RunJobData {
  const { endpoint, event, rawBody, deliveryId, receivedAt, leaseToken } = batch;
  return {
    endpoint,
    eventId: event.id,
    handlerId,
    body: rawBody.toString('utf8'),
    deliveryId,
    receivedAt: receivedAt.toISOString(),
    leaseToken,
  };
}

/** The run of a job. */
function toQueuedRun({ body, receivedAt, handlerId, deliveryId, leaseToken }: RunJobData): QueuedRun {
  return {
    handlerId,
    deliveryId,
    leaseToken,
    rawBody: Buffer.from(body, 'utf8'),
    receivedAt: new Date(receivedAt),
  };
}

/** Settings of a {@link BullMqTransport}. */
export interface BullMqTransportOptions {
  /**
   * The queue, as `@InjectQueue()` of `@nestjs/bullmq` gives it, or made with `new Queue()`. Each process that works on it
   * should have every endpoint that fills it: one that has not puts the job back, for another to find.
   */
  queue: Queue;
  /**
   * Whether this process works on the queue, and how. With `false` it only fills it, so that one image can serve as
   * web process and as worker. Where several transports have one queue, each has a worker, and each worker takes the jobs
   * of all: what their `concurrency` allows adds up.
   * @default true
   */
  worker?: boolean | Pick<WorkerOptions, 'concurrency' | 'lockDuration' | 'stalledInterval' | 'limiter'>;
  /**
   * How many runs a handler gets in all before its row is dead.
   * @default 8
   */
  attempts?: number;
  /**
   * The wait before each retry, in ms, or how it grows.
   * @default exponential, from 1000 ms
   */
  backoff?: HandlerRetries['backoff'];
  /**
   * How long a handler may take in a worker, in ms. Scalekit does not wait for it.
   * @default 60000
   */
  handlerTimeoutMs?: number;
}

// Jobs hold payloads, so finished ones are not kept for ever.
const KEEP_FINISHED = { age: 24 * 60 * 60, count: 10_000 };
// When to look again at a job that could not be tried.
const PUT_BACK_MS = 1000;
// How long BullMQ may take to let go of the queue, once no run is in progress.
const CLOSE_GRACE_MS = 2000;

// By the queue's name: a job goes to the worker that is first, which may be that of another endpoint's transport.
const working = new Map<string, Set<BullMqTransport>>();

/**
 * Runs handlers as jobs of a BullMQ queue: one job for each event and handler. A delivery is answered with 202 once
 * Redis has all of its jobs. The inbox must be one that all processes share.
 */
export class BullMqTransport implements EventTransport {
  readonly spansProcesses = true;
  readonly #options: Required<Omit<BullMqTransportOptions, 'worker'>>;
  readonly #workerOptions: Partial<WorkerOptions> | undefined;
  readonly #runners = new Map<string, QueuedRunner>();
  readonly #logger = new Logger('ScalekitWebhooks:bullmq');
  readonly #running = new Set<Promise<QueuedRunEnd>>();
  #worker?: Worker<RunJobData>;
  #isClosing = false;

  constructor({
    queue,
    worker = true,
    attempts = 8,
    backoff = { type: 'exponential', delayMs: 1000 },
    handlerTimeoutMs = 60_000,
  }: BullMqTransportOptions) {
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
        // BullMQ drops a job whose id it has seen, so each claim has ids of its own; the inbox keeps runs single.
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
    this.#runners.set(endpoint, runner);
    if (this.#worker) return;
    const { name, opts, qualifiedName } = this.#options.queue;
    working.set(qualifiedName, new Set(this.#peers.filter((transport) => !transport.#isClosing)));
    this.#worker = new Worker<RunJobData>(name, (job, token) => this.#perform(job, token), {
      ...this.#workerOptions,
      connection: opts.connection,
      // The default gives a job up when its worker is killed for the second time, and its event would be lost.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      ...(opts.prefix !== undefined && { prefix: opts.prefix }),
    });
    // Without a listener, a lost connection would end the process; BullMQ connects again by itself.
    this.#worker.on('error', (error) => this.#reportError(error));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const { qualifiedName } = this.#options.queue;
    if (this.#peers.every((transport) => transport.#isClosing)) working.delete(qualifiedName);
    const closed = this.#worker?.close().catch((error) => this.#reportError(error));
    if (!closed) return;
    await waitAtMost(Promise.allSettled(this.#running), this.#options.handlerTimeoutMs);
    // A worker that cannot reach Redis would wait for it for ever.
    await waitAtMost(closed, CLOSE_GRACE_MS);
  }

  #reportError(error: unknown): void {
    const { name, message } = toHandlerError(error);
    this.#logger.error(`${name}: ${message}`);
  }

  async #perform(job: Job<RunJobData>, token: string | undefined): Promise<void> {
    const end = await this.#run(job);
    if (end.state === 'busy') {
      await job.moveToDelayed(Date.now() + end.retryInMs, token);
      throw new DelayedError();
    }
    if (end.state === 'done') return;
    const message = `${end.error.name}: ${end.error.message}`;
    throw end.state === 'dead' ? new UnrecoverableError(message) : new Error(message);
  }

  /** This one first: another application of the process may have an endpoint of the same name. */
  get #peers(): readonly BullMqTransport[] {
    return [this, ...(working.get(this.#options.queue.qualifiedName) ?? [])];
  }

  /** The worker's transport waits for a run when it closes, and so does the endpoint's. */
  async #run(job: Job<RunJobData>): Promise<QueuedRunEnd> {
    const owners = this.#peers.filter((transport) => transport.#runners.has(job.data.endpoint));
    const owner = owners.find((transport) => !transport.#isClosing) ?? owners[0] ?? this;
    const attempt = owner.#attempt(job);
    for (const transport of [this, owner]) transport.#running.add(attempt);
    return attempt.finally(() => {
      for (const transport of [this, owner]) transport.#running.delete(attempt);
    });
  }

  /** What keeps a run from being tried or recorded is no fault of its handler, and uses up none of its attempts. */
  async #attempt(job: Job<RunJobData>): Promise<QueuedRunEnd> {
    const runner = this.#runners.get(job.data.endpoint);
    const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    const { handlerTimeoutMs: timeoutMs } = this.#options;
    try {
      // Its endpoint takes no more, though another's worker still does.
      if (this.#isClosing) return { state: 'busy', retryInMs: PUT_BACK_MS };
      if (!runner) throw new Error(MESSAGES.queueWithoutEndpoint(job.data.endpoint));
      return await runner(toQueuedRun(job.data), { timeoutMs, isLast });
    } catch (error) {
      this.#reportError(error);
      return { state: 'busy', retryInMs: PUT_BACK_MS };
    }
  }
}

function toBullMqBackoff(backoff: NonNullable<HandlerRetries['backoff']>): number | BackoffOptions {
  return typeof backoff === 'number' ? backoff : { type: backoff.type, delay: backoff.delayMs };
}
