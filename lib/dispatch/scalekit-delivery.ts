import { createHash } from 'node:crypto';
import { type EventIssue } from '../errors/errors.js';

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
