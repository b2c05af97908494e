import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import type { InboxKey } from '../inbox/inbox-entry.js';
import type { InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { RunOptions } from './handler.run.js';
import type { RunDeadline } from './run-deadline.js';
import { idempotencyKey, type ScalekitDelivery } from './scalekit-delivery.js';

/** What one run's handler is given. A class, since V8 would make a shape of its own for each object with accessors. */
export class RunDelivery implements ScalekitDelivery {
  readonly id: string;
  readonly endpoint: string;
  readonly receivedAt: Date;
  readonly attempt: number;
  readonly rawBody: Buffer;
  readonly headers: ScalekitDelivery['headers'];
  readonly issues: ScalekitDelivery['issues'];
  readonly #eventId: string;
  readonly #handlerId: string;
  readonly #inbox: InboxStore;
  readonly #lease: InboxLease;
  readonly #deadline: RunDeadline;

  constructor({ received, context, attempt, handler, inbox, lease }: RunOptions, deadline: RunDeadline) {
    this.id = received.deliveryId;
    this.endpoint = context.endpoint;
    this.receivedAt = received.receivedAt;
    this.attempt = attempt;
    this.rawBody = received.rawBody;
    this.headers = received.headers;
    this.issues = received.issues;
    this.#eventId = received.event.id;
    this.#handlerId = handler.id;
    this.#inbox = inbox;
    this.#lease = lease;
    this.#deadline = deadline;
  }

  get signal(): AbortSignal {
    return this.#deadline.signal;
  }

  get idempotencyKey(): string {
    return idempotencyKey(this.endpoint, this.#eventId, this.#handlerId);
  }

  // Not a method, so that a handler may take it out of the delivery.
  readonly complete = async (transaction: unknown): Promise<void> => {
    if (!this.#inbox.complete) {
      throw new ScalekitWebhooksConfigurationError('inbox', MESSAGES.inboxWithoutTransactions);
    }
    const key: InboxKey = { endpoint: this.endpoint, eventId: this.#eventId };
    await this.#inbox.complete(transaction, key, this.#handlerId, this.#lease);
  };
}
