import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { ClaimedRun } from './handler.run.js';
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
  readonly #run: ClaimedRun;

  constructor(run: ClaimedRun) {
    const { received, context, attempt } = run;
    this.id = received.deliveryId;
    this.endpoint = context.endpoint;
    this.receivedAt = received.receivedAt;
    this.attempt = attempt;
    this.rawBody = received.rawBody;
    this.headers = received.headers;
    this.issues = received.issues;
    this.#run = run;
  }

  get signal(): AbortSignal {
    return this.#run.deadline.signal;
  }

  get idempotencyKey(): string {
    const { received, handlerId } = this.#run;
    return idempotencyKey(this.endpoint, received.event.id, handlerId);
  }

  // Not a method, so that a handler may take it out of the delivery.
  readonly complete = async (transaction: unknown): Promise<void> => {
    const { inbox, received, handlerId, lease } = this.#run;
    if (!inbox.complete) {
      throw new ScalekitWebhooksConfigurationError('inbox', MESSAGES.inboxWithoutTransactions);
    }
    const key = { endpoint: this.endpoint, eventId: received.event.id };
    await inbox.complete(transaction, key, handlerId, lease);
  };
}
