import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { HandlerSettlement } from '../inbox/inbox-store.js';

/** One claimed run of one handler. */
export interface HandlerRun {
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
  readonly runs: readonly HandlerRun[];
}

/** How handlers' runs are started: in the request, or through a queue. */
export interface EventTransport {
  /**
   * Starts all runs of a batch, and returns one promise for each, in their order. A run's promise resolves when
   * it has ended, or with `queued` once it is safely stored; it rejects where the transport cannot be reached.
   */
  start(batch: HandlerBatch): readonly Promise<HandlerSettlement>[];
}
