import type { BackoffOptions, Queue } from 'bullmq';
import type {
  HandlerBatch,
  HandlerRetries,
  QueuedRun,
  QueuedRunEnd,
  QueuedRunner,
} from '../dispatch/event-transport.js';

/** What a job holds: the key of its run in the inbox. */
export interface RunJobData {
  readonly endpoint: string;
  readonly eventId: string;
  readonly handlerId: string;
  readonly deliveryId: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly leaseToken: string;
  /** The body as text, if the inbox does not keep it. Accepted bodies are UTF-8, so the text yields the same bytes. */
  readonly body?: string;
  readonly headers?: HandlerBatch['headers'];
  readonly carried?: HandlerBatch['carried'];
  /** Since when no process could run it, ISO 8601. */
  readonly unrunnableSince?: string | undefined;
}

export function toJobData(batch: HandlerBatch, handlerId: string): RunJobData {
  const { endpoint, event, rawBody, deliveryId, receivedAt, headers, carried, leaseToken } = batch;
  return {
    endpoint,
    eventId: event.id,
    handlerId,
    deliveryId,
    receivedAt: receivedAt.toISOString(),
    leaseToken,
    // What is erased in the inbox must not stay in a job.
    ...(!batch.isInInbox && { body: rawBody.toString('utf8'), headers, ...(carried && { carried }) }),
  };
}

/** @param type the name of the job */
export function toQueuedRun({ body, receivedAt, headers = {}, ...run }: RunJobData, type: string): QueuedRun {
  const { eventId, handlerId, deliveryId, carried, leaseToken } = run;
  return {
    eventId,
    type,
    headers,
    handlerId,
    deliveryId,
    carried,
    leaseToken,
    receivedAt: new Date(receivedAt),
    ...(body !== undefined && { rawBody: Buffer.from(body, 'utf8') }),
  };
}

export function toBullMqBackoff(backoff: NonNullable<HandlerRetries['backoff']>): number | BackoffOptions {
  return typeof backoff === 'number' ? backoff : { type: backoff.type, delay: backoff.delayMs };
}

// How long a run waits when a closing endpoint has put it back for another process.
const PUT_BACK_MS = 1000;

/** An endpoint that works on a queue. It owns its runs, whichever of the process's workers gets their jobs. */
export class QueueEndpoint {
  // Any worker of a queue may get a job of any endpoint that fills the queue.
  static readonly #all = new Set<QueueEndpoint>();
  readonly #runs = new Set<Promise<QueuedRunEnd>>();
  #isClosing = false;
  #isUnavailable = false;

  constructor(
    private readonly queue: Queue,
    private readonly name: string,
    private readonly runner: QueuedRunner,
    private readonly timeoutMs: number,
  ) {
    QueueEndpoint.#all.add(this);
  }

  /** The endpoint of this process that a job of a queue belongs to. */
  static find(queue: Queue, name: string): QueueEndpoint | undefined {
    const found = QueueEndpoint.#of(queue).filter((endpoint) => endpoint.name === name);
    return found.find((endpoint) => !endpoint.#isClosing) ?? found[0];
  }

  /** Whether no endpoint of this process that works on a queue could reach its inbox at its last attempt. */
  static areAllUnavailable(queue: Queue): boolean {
    return QueueEndpoint.#of(queue).every((endpoint) => endpoint.#isUnavailable);
  }

  static #of({ qualifiedName }: Queue): readonly QueueEndpoint[] {
    return [...QueueEndpoint.#all].filter((endpoint) => endpoint.queue.qualifiedName === qualifiedName);
  }

  async attempt(run: QueuedRun, isLast: boolean): Promise<QueuedRunEnd> {
    if (this.#isClosing) return { state: 'busy', retryInMs: PUT_BACK_MS };
    const attempt = this.runner(run, { timeoutMs: this.timeoutMs, isLast });
    this.#runs.add(attempt);
    try {
      const end = await attempt;
      this.#isUnavailable = end.state === 'unavailable';
      return end;
    } finally {
      this.#runs.delete(attempt);
    }
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
