import type { InboxLease, InboxStore } from '../inbox/inbox-store.js';
import type { EventHandler, ScalekitEventContext } from './event-handler.js';
import type { HandlerRun } from './event-transport.js';
import type { ReceivedEvent } from './received-event.js';
import { RunDeadline } from './run-deadline.js';
import { RunDelivery } from './run-delivery.js';

/** A run with its own deadline. */
export interface TimedRun extends HandlerRun {
  readonly timeoutMs: number;
  /** Whether the deadline passed while it ran. */
  isOverdue(): boolean;
}

/** A claimed run, and all that it needs. */
export interface ClaimedRun {
  readonly handler: EventHandler;
  readonly attempt: number;
  readonly received: ReceivedEvent;
  readonly context: ScalekitEventContext;
  /** How long it may take, in ms; the handler's own `timeout` may be shorter. */
  readonly timeoutMs: number;
  readonly inbox: InboxStore;
  readonly lease: InboxLease;
}

/** Prepares one run of one handler: its delivery, and the deadline that its signal tells. */
export function prepareRun(run: ClaimedRun): TimedRun {
  const { handler, attempt, received, context } = run;
  const deadline = new RunDeadline();
  const timeoutMs = Math.max(0, Math.min(handler.timeout ?? run.timeoutMs, run.timeoutMs));
  const delivery = new RunDelivery(run, deadline);
  return {
    handlerId: handler.id,
    attempt,
    ...(handler.attempts !== undefined && { attempts: handler.attempts }),
    ...(handler.backoff !== undefined && { backoff: handler.backoff }),
    timeoutMs,
    isOverdue: () => deadline.isOver,
    async execute() {
      deadline.start(timeoutMs);
      try {
        await handler.run(received.event, delivery, context);
      } finally {
        deadline.stop();
      }
    },
  };
}
