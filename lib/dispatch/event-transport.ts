import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { RunError, RunSettlement } from '../inbox/inbox-store.js';
import { isFinalFailure, toHandlerError } from './handler-failure.js';

/** How often and when a queue starts a failed run again. */
export interface HandlerRetries {
  /** How many runs there are in all, the first included. */
  readonly attempts?: number;
  /** The wait before each retry, in ms, or how it grows from one retry to the next. */
  readonly backoff?: number | { readonly type: 'fixed' | 'exponential'; readonly delayMs: number };
}

/** One claimed run of one handler. */
export interface HandlerRun extends HandlerRetries {
  readonly handlerId: string;
  /** Which run of this handler for this event it is, from 1. */
  readonly attempt: number;
  /** Runs the handler in this process. Rejects with what the handler threw. */
  execute(): Promise<void>;
}

/** The claimed runs of one event. */
export interface HandlerBatch {
  readonly endpoint: string;
  readonly event: ScalekitEvent<'*'>;
  readonly rawBody: Buffer;
  readonly deliveryId: string;
  readonly receivedAt: Date;
  /** The lease under which the runs were claimed. */
  readonly leaseToken: string;
  readonly runs: readonly HandlerRun[];
}

/** A run as it waits in a queue: the event, and never a secret. */
export interface QueuedRun
  extends Pick<HandlerBatch, 'rawBody' | 'deliveryId' | 'receivedAt' | 'leaseToken'> {
  readonly handlerId: string;
}

/** What a worker may expect of one attempt at a queued run. */
export interface QueuedAttempt {
  /** How long the handler may take, in ms. */
  readonly timeoutMs: number;
  /** Whether the queue gives up when this attempt fails; the handler's row is dead then. */
  readonly isLast: boolean;
}

/**
 * How an attempt at a queued run ended: `done` (now or before), `dead` (no retry can help), `failed` (to be started
 * again), or `busy` (another process runs it; to be looked at again later).
 */
export type QueuedRunEnd =
  | { readonly state: 'done' }
  | { readonly state: 'dead' | 'failed'; readonly error: RunError }
  | { readonly state: 'busy'; readonly retryInMs: number };

/** Works on one queued run, by the rules of the inbox. Rejects where the inbox cannot be reached. */
export type QueuedRunner = (run: QueuedRun, attempt: QueuedAttempt) => Promise<QueuedRunEnd>;

/** How handlers' runs are started: in the request, or through a queue. */
export interface EventTransport {
  /** Whether runs may end in another process, which needs an inbox that processes share. */
  readonly spansProcesses?: boolean;
  /**
   * Starts all runs of a batch, and returns one promise for each, in their order. A run's promise resolves when
   * it has ended, or with `queued` once it is safely stored; it rejects where the transport cannot be reached.
   */
  start(batch: HandlerBatch): readonly Promise<RunSettlement>[];
  /** Begins to work on the queued runs of an endpoint, once the application has started. */
  work?(endpoint: string, runner: QueuedRunner): void;
  /** Takes no more runs from the queue, and resolves when those in progress have ended. */
  close?(): Promise<void>;
}

/** Runs all handlers of an event side by side, within the request. */
export class InlineTransport implements EventTransport {
  start({ runs }: HandlerBatch): readonly Promise<RunSettlement>[] {
    return runs.map(async ({ handlerId, execute }): Promise<RunSettlement> => {
      try {
        await execute();
        return { handlerId, state: 'done' };
      } catch (thrown) {
        const state = isFinalFailure(thrown) ? 'dead' : 'failed';
        return { handlerId, state, error: toHandlerError(thrown) };
      }
    });
  }
}
