import { createHash } from 'node:crypto';
import { type EventIssue, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { InboxKey, InboxLease, InboxStore } from '../inbox/inbox-store.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { RunOptions } from './claimed-run.js';
import type { RunDeadline } from './timeout.js';

/** What a handler may know of how its event arrived. Its second parameter. */
export interface ScalekitDelivery {
  /** The delivery's own id (`webhook-id`); where the signature scheme has none, one made up on arrival. */
  readonly id: string;
  /** The `name` of the endpoint that received it. */
  readonly endpoint: string;
  readonly receivedAt: Date;
  /** Which run of this handler for this event it is, from 1. */
  readonly attempt: number;
  /** The exact bytes of the body, as they were signed. */
  readonly rawBody: Buffer;
  /** The request's headers, names in lower case. Empty where the event did not come by HTTP. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** What the validation found; without `validation: 'lenient'` always empty. */
  readonly issues: readonly EventIssue[];
  /** Fires at the deadline. Hand it on to what can be cancelled. */
  readonly signal: AbortSignal;
  /** The same for every run of this handler for this event: hand it on to APIs that take one. */
  readonly idempotencyKey: string;
  /**
   * Records this run's success inside your own database transaction, so that the handler's effect and its row in the
   * inbox commit together, or not at all. For the Postgres and the SQLite inbox, in the same database.
   *
   * @param transaction the connection, or the client, on which your transaction is open
   * @throws LeaseLostError where another run has taken over: let it roll your transaction back
   * @throws ScalekitWebhooksConfigurationError where the inbox does not live in a database with transactions
   */
  complete(transaction: unknown): Promise<void>;
}

/** A digest, so that its length fits other APIs' limits whatever the ids are. */
export function idempotencyKey(endpoint: string, eventId: string, handlerId: string): string {
  return createHash('sha256')
    .update(JSON.stringify([endpoint, eventId, handlerId]))
    .digest('base64url');
}

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
