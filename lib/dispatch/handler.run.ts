import type { EventHandler, ScalekitEventContext } from './event-handler.js';
import type { HandlerRun } from './event-transport.js';
import type { ReceivedEvent } from './received-event.js';
import { idempotencyKey, type ScalekitDelivery } from './scalekit-delivery.js';

/** A run with its own deadline. */
export interface TimedRun extends HandlerRun {
  readonly timeoutMs: number;
  /** Whether the deadline passed while it ran. */
  isOverdue(): boolean;
}

/** Prepares one run of one handler: its delivery, and the signal that fires at its deadline. */
export function prepareRun(
  handler: EventHandler,
  attempt: number,
  received: ReceivedEvent,
  context: ScalekitEventContext,
  timeLeftMs: number,
): TimedRun {
  const deadline = new AbortController();
  const timeoutMs = Math.max(0, Math.min(handler.timeout ?? timeLeftMs, timeLeftMs));
  const { event, issues, receivedAt, rawBody, headers } = received;
  const delivery: ScalekitDelivery = {
    id: received.deliveryId,
    endpoint: context.endpoint,
    receivedAt,
    attempt,
    rawBody,
    headers,
    issues,
    signal: deadline.signal,
    get idempotencyKey() {
      return idempotencyKey(context.endpoint, event.id, handler.id);
    },
  };
  return {
    handlerId: handler.id,
    attempt,
    timeoutMs,
    isOverdue: () => deadline.signal.aborted,
    async execute() {
      const timer = setTimeout(() => deadline.abort(), timeoutMs);
      try {
        await handler.run(event, delivery, context);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
