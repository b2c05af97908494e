import type { InboxLease, InboxStore } from '../inbox/inbox-store.js';
import type { EventHandler, ScalekitEventContext } from './event-handler.js';
import type { HandlerRun } from './event-transport.js';
import type { ReceivedEvent } from './received-event.js';
import { RunDeadline } from './run-deadline.js';
import { RunDelivery } from './run-delivery.js';

/** What a run of a handler needs. */
export interface RunOptions {
  readonly handler: EventHandler;
  readonly attempt: number;
  readonly received: ReceivedEvent;
  readonly context: ScalekitEventContext;
  /** How long it may take, in ms; the handler's own `timeout` may be shorter. */
  readonly timeoutMs: number;
  readonly inbox: InboxStore;
  readonly lease: InboxLease;
}

/**
 * One claimed run of one handler, with its own deadline. What is held while handlers run is made by classes, since V8 would
 * soon keep literals that live as long, and all they hold, until its next full collection.
 */
export class ClaimedRun implements HandlerRun {
  readonly handlerId: string;
  readonly attempt: number;
  readonly attempts?: number;
  readonly backoff?: HandlerRun['backoff'];
  readonly timeoutMs: number;
  readonly received: ReceivedEvent;
  readonly context: ScalekitEventContext;
  readonly inbox: InboxStore;
  readonly lease: InboxLease;
  readonly deadline = new RunDeadline();
  readonly #handler: EventHandler;

  constructor({ handler, attempt, received, context, timeoutMs, inbox, lease }: RunOptions) {
    this.handlerId = handler.id;
    this.attempt = attempt;
    this.attempts = handler.attempts;
    this.backoff = handler.backoff;
    this.timeoutMs = Math.max(0, Math.min(handler.timeout ?? timeoutMs, timeoutMs));
    this.received = received;
    this.context = context;
    this.inbox = inbox;
    this.lease = lease;
    this.#handler = handler;
  }

  // Not a method, so that a transport may take it out of the run.
  readonly execute = async (): Promise<void> => {
    this.deadline.start(this.timeoutMs);
    try {
      await this.#handler.run(this.received.event, new RunDelivery(this), this.context);
    } finally {
      this.deadline.stop();
    }
  };
}
