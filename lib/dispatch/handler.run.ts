import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import type { InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { EventHandler, ScalekitEventContext } from './event-handler.js';
import type { HandlerRun } from './event-transport.js';
import type { ReceivedEvent } from './received-event.js';
import { RunDeadline } from './run-deadline.js';
import { idempotencyKey, type ScalekitDelivery } from './scalekit-delivery.js';

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

/** Prepares one run of one handler: its delivery, and the signal that fires at its deadline. */
export function prepareRun({
  handler,
  attempt,
  received,
  context,
  inbox,
  lease,
  ...given
}: ClaimedRun): TimedRun {
  const deadline = new RunDeadline();
  const timeoutMs = Math.max(0, Math.min(handler.timeout ?? given.timeoutMs, given.timeoutMs));
  const { event, issues, receivedAt, rawBody, headers } = received;
  const delivery: ScalekitDelivery = {
    id: received.deliveryId,
    endpoint: context.endpoint,
    receivedAt,
    attempt,
    rawBody,
    headers,
    issues,
    get signal() {
      return deadline.signal;
    },
    get idempotencyKey() {
      return idempotencyKey(context.endpoint, event.id, handler.id);
    },
    async complete(transaction) {
      if (!inbox.complete) {
        throw new ScalekitWebhooksConfigurationError('inbox', MESSAGES.inboxWithoutTransactions);
      }
      const key = { endpoint: context.endpoint, eventId: event.id };
      await inbox.complete(transaction, key, handler.id, lease);
    },
  };
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
        await handler.run(event, delivery, context);
      } finally {
        deadline.stop();
      }
    },
  };
}
