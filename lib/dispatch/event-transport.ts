import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { RunError } from '../inbox/inbox-queries.js';
import type { RunSettlement } from '../inbox/inbox-store.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** How often and when a worker retries a failed run. */
export interface HandlerRetries {
  /** The maximum number of attempts, including the first. */
  readonly attempts?: number;
  /** How long to wait before each retry: a fixed time in ms, or how the time grows from one retry to the next. */
  readonly backoff?: number | { readonly type: 'fixed' | 'exponential'; readonly delayMs: number };
}

/** One claimed run of one handler. */
export interface HandlerRun extends HandlerRetries {
  readonly handlerId: string;
  /** The number of this attempt, starting at 1. */
  readonly attempt: number;
  /** Runs the handler in this process and resolves to how it ended: `done`, `failed` or `dead`. Never rejects. */
  execute(): Promise<RunSettlement>;
}

/** The claimed runs of one event. */
export interface HandlerBatch {
  /** The endpoint, under the same name as in `work`. Other applications that use the same queue have other names. */
  readonly endpoint: string;
  readonly event: ScalekitEvent<'*'>;
  readonly rawBody: Buffer;
  readonly deliveryId: string;
  readonly receivedAt: Date;
  /** The request's headers, without signatures and credentials. */
  readonly headers: ScalekitDelivery['headers'];
  /** What observers want to have in the process that executes the runs, such as the context of a trace. */
  readonly carried?: Readonly<Record<string, string>> | undefined;
  /** The lease under which the runs were claimed. */
  readonly leaseToken: string;
  readonly runs: readonly HandlerRun[];
  /**
   * Whether the inbox keeps the event, so that workers can read `rawBody`, `headers` and `carried` there. A queue should not
   * store them then: what is erased or dropped in the inbox would stay in its jobs.
   */
  readonly isInInbox?: boolean;
}

/** A run in a queue. It has the id of its event, or contains the event. It never contains a secret. */
export interface QueuedRun
  extends Pick<HandlerBatch, 'deliveryId' | 'receivedAt' | 'leaseToken'>,
    Partial<Pick<HandlerBatch, 'rawBody' | 'headers' | 'carried'>> {
  readonly handlerId: string;
  /** The id of the event, which the worker reads from the inbox. It can be left out if there is a `rawBody`. */
  readonly eventId?: string;
  /** The type of the event, for the log. */
  readonly type?: string;
}

/** The limits of one attempt at a queued run. */
export interface QueuedAttempt {
  /** How long the handler may take, in ms. */
  readonly timeoutMs: number;
  /** Whether the queue gives up when this attempt fails. The run is dead then. */
  readonly isLast: boolean;
}

/**
 * How an attempt at a queued run ended:
 *
 * - `done`: the run is done, by this attempt or an earlier one
 * - `failed`: the queue retries the run
 * - `dead`: no retry can help
 * - `busy`: another process holds the run's lease; try again later
 * - `unavailable`: the inbox cannot be reached, so the attempt does not count; try again later. The wait is different for
 *   each run, so that they do not all come back at once.
 */
export type QueuedRunEnd =
  | { readonly state: 'done' }
  | { readonly state: 'dead' | 'failed'; readonly error: RunError }
  | { readonly state: 'busy'; readonly retryInMs: number }
  | { readonly state: 'unavailable'; readonly retryInMs: number };

/** Makes one attempt at a queued run. Rejects when the run's event cannot be read. */
export type QueuedRunner = (run: QueuedRun, attempt: QueuedAttempt) => Promise<QueuedRunEnd>;

/** How runs are started: in the request, or through a queue. Implement it to use your own queue. */
export interface EventTransport {
  /** Whether other processes may execute the runs. They must share the inbox. */
  readonly spansProcesses?: boolean;
  /**
   * Starts all runs of a batch and returns one promise for each, in their order. A promise resolves when its run has
   * ended, or with `queued` once the run is safely stored. It rejects when the transport cannot be reached.
   */
  start(batch: HandlerBatch): readonly Promise<RunSettlement>[];
  /** Starts to execute the queued runs of an endpoint. Called once the application has started. */
  work?(endpoint: string, runner: QueuedRunner): void;
  /** Takes no more runs from the queue. Resolves when the runs in progress have ended. */
  close?(): Promise<void>;
  /**
   * Set by the transports that take runs from the inbox itself.
   *
   * @internal
   */
  readonly inboxWork?: InboxWork;
}

/** How runs are taken from the inbox itself. */
export interface InboxWork {
  /** Whether this process takes runs. */
  readonly hasWorker: boolean;
  /** For deliveries that execute their runs: when a worker may retry one that failed or has no result, in ms. */
  readonly retriesInMs?: number;
  /** Starts to take the due runs of an endpoint. Called once the application has started. */
  start(runs: EndpointRuns): void;
  /** How long ago the worker of an endpoint took runs or found none, in ms. Undefined if it has none in this process. */
  silentForMs(endpoint: string): number | undefined;
  /** A delivery has handed runs of the endpoint to the workers. */
  wake(endpoint: string): void;
}

/** The due runs of an endpoint. None of its methods rejects. */
export interface EndpointRuns {
  readonly endpoint: string;
  /** How long no more runs are taken because the inbox has failed, in ms. 0 if they are. */
  readonly backsOffForMs: number;
  /** Takes at most this many runs. Resolves to undefined if the inbox fails or does not respond in time. */
  take(limit: number, leaseMs: number): Promise<readonly TakenRun[] | undefined>;
  /** Logs which runs wait for handlers that this process does not have. */
  reportStranded(): Promise<void>;
}

/** A run that this process has taken. */
export interface TakenRun {
  /**
   * Makes one attempt, and records how it ended. Never rejects.
   *
   * @param attempted is called when the attempt has ended, before that is recorded
   * @returns whether it has held back another run, which can be taken now
   */
  perform(limits: WorkLimits, attempted: () => void): Promise<boolean>;
  /** Gives the run back without an attempt. Never rejects. */
  release(): Promise<void>;
}

/** The limits of attempts at the runs of an endpoint. */
export interface WorkLimits extends Required<HandlerRetries> {
  /** How long a handler may take, in ms. */
  readonly timeoutMs: number;
}
