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
import { toRunError } from '../dispatch/handler-failure.js';
import { idempotencyKey } from '../dispatch/scalekit-delivery.js';
import { waitAtMost } from '../dispatch/timeout.js';
import type { RunSettlement } from '../inbox/inbox-store.js';

/** Options of a {@link BullMqTransport}. */
export interface BullMqTransportOptions {
  /**
   * The queue, from `@InjectQueue()` of `@nestjs/bullmq` or from `new Queue()`. Every process that works on it should
   * have all endpoints that fill it: a process without a job's endpoint puts the job back for another process.
   */
  queue: Queue;
  /**
   * Whether this process works on the queue, and how. With `false` it only fills the queue, so that one image can serve
   * as web process and as worker. If several endpoints share a queue, each transport has a worker of its own, and each
   * worker takes the jobs of all endpoints: their `concurrency` adds up.
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

/** What a job holds: the event as it was received, and the key of its run in the inbox. */
interface RunJobData {
  readonly endpoint: string;
  readonly eventId: string;
  readonly handlerId: string;
  /** The body as text. Accepted bodies are UTF-8, so the text yields the same bytes. */
  readonly body: string;
  readonly deliveryId: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly headers?: HandlerBatch['headers'];
  readonly leaseToken: string;
}

// Jobs hold payloads, so finished jobs are not kept forever.
const KEEP_FINISHED = { age: 24 * 60 * 60, count: 10_000 };
// When to look again at a job that could not be tried.
const PUT_BACK_MS = 1000;
// How long BullMQ may take to let go of the queue once no run is in progress.
const CLOSE_GRACE_MS = 2000;

/**
 * Runs handlers as jobs of a BullMQ queue, one job for each event and handler. A delivery is answered with 202 once
 * Redis holds all of its jobs. The inbox must be one that all processes share.
 */
export class BullMqTransport implements EventTransport {
  readonly spansProcesses = true;
  readonly #options: Required<Omit<BullMqTransportOptions, 'worker'>>;
  readonly #workerOptions: Partial<WorkerOptions> | undefined;
  readonly #logger = new Logger('ScalekitWebhooks:bullmq');
  readonly #endpoints = new Map<string, QueueEndpoint>();
  readonly #jobs = new Set<Promise<unknown>>();
  #worker?: Worker<RunJobData>;

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
    if (end.state === 'busy') {
      await job.moveToDelayed(Date.now() + end.retryInMs, token);
      throw new DelayedError();
    }
    if (end.state === 'done') return;
    const message = `${end.error.name}: ${end.error.message}`;
    throw end.state === 'dead' ? new UnrecoverableError(message) : new Error(message);
  }

  /** An attempt that could not be made or recorded is not the handler's fault, and uses up none of its attempts. */
  async #attempt(job: Job<RunJobData>): Promise<QueuedRunEnd> {
    const { endpoint } = job.data;
    const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    try {
      const owner = this.#endpoints.get(endpoint) ?? QueueEndpoint.find(this.#options.queue, endpoint);
      if (!owner) throw new Error(`This process has no endpoint "${endpoint}" to run the job for.`);
      return await owner.attempt(toQueuedRun(job.data), isLast);
    } catch (error) {
      this.#reportError(error);
      return { state: 'busy', retryInMs: PUT_BACK_MS };
    }
  }

  #track<T>(job: Promise<T>): Promise<T> {
    this.#jobs.add(job);
    return job.finally(() => this.#jobs.delete(job));
  }

  #reportError(error: unknown): void {
    const { name, message } = toRunError(error);
    this.#logger.error(`${name}: ${message}`);
  }
}

/** An endpoint that works on a queue. It owns its runs, whichever of the process's workers gets their jobs. */
class QueueEndpoint {
  // Any worker of a queue may get a job of any endpoint that fills the queue.
  static readonly #all = new Set<QueueEndpoint>();
  readonly #runs = new Set<Promise<QueuedRunEnd>>();
  #isClosing = false;

  constructor(
    private readonly queue: Queue,
    private readonly name: string,
    private readonly runner: QueuedRunner,
    private readonly timeoutMs: number,
  ) {
    QueueEndpoint.#all.add(this);
  }

  /** The endpoint of this process that a job of a queue belongs to. */
  static find({ qualifiedName }: Queue, name: string): QueueEndpoint | undefined {
    const found = [...QueueEndpoint.#all].filter(
      (endpoint) => endpoint.queue.qualifiedName === qualifiedName && endpoint.name === name,
    );
    return found.find((endpoint) => !endpoint.#isClosing) ?? found[0];
  }

  async attempt(run: QueuedRun, isLast: boolean): Promise<QueuedRunEnd> {
    if (this.#isClosing) return { state: 'busy', retryInMs: PUT_BACK_MS };
    const attempt = this.runner(run, { timeoutMs: this.timeoutMs, isLast });
    this.#runs.add(attempt);
    return attempt.finally(() => this.#runs.delete(attempt));
  }

  /** Takes no more runs, and returns those in progress. */
  close(): readonly Promise<QueuedRunEnd>[] {
    this.#isClosing = true;
    return [...this.#runs];
  }

  /** Its queue's workers no longer find it. */
  leave(): void {
    QueueEndpoint.#all.delete(this);
  }
}

function toJobData(batch: HandlerBatch, handlerId: string): RunJobData {
  const { endpoint, event, rawBody, deliveryId, receivedAt, headers, leaseToken } = batch;
  return {
    endpoint,
    eventId: event.id,
    handlerId,
    body: rawBody.toString('utf8'),
    deliveryId,
    receivedAt: receivedAt.toISOString(),
    headers,
    leaseToken,
  };
}

function toQueuedRun({ body, receivedAt, headers = {}, ...run }: RunJobData): QueuedRun {
  const { handlerId, deliveryId, leaseToken } = run;
  return {
    headers,
    handlerId,
    deliveryId,
    leaseToken,
    rawBody: Buffer.from(body, 'utf8'),
    receivedAt: new Date(receivedAt),
  };
}

function toBullMqBackoff(backoff: NonNullable<HandlerRetries['backoff']>): number | BackoffOptions {
  return typeof backoff === 'number' ? backoff : { type: backoff.type, delay: backoff.delayMs };
}
