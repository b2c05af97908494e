import { createHash } from 'node:crypto';
import type { EventIssue } from '../errors/errors.js';

/** How an event arrived: the second parameter of a handler. */
export interface ScalekitDelivery {
  /** The delivery's id (`webhook-id`), or a generated one if the signature scheme has none. */
  readonly id: string;
  /** The `name` of the endpoint that received it. */
  readonly endpoint: string;
  readonly receivedAt: Date;
  /** The number of this attempt of the handler for this event, starting at 1. */
  readonly attempt: number;
  /** The exact bytes of the body, as they were signed. */
  readonly rawBody: Buffer;
  /** The request's headers, with lower-case names. Without signatures and credentials in a queue worker. Empty in a replay
   * and if the event did not arrive by HTTP. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The problems that validation found. Always empty unless `validation` is `'lenient'`. */
  readonly issues: readonly EventIssue[];
  /** Fires at the deadline. Pass it to work that can be cancelled. */
  readonly signal: AbortSignal;
  /** The same for every attempt of this handler for this event. Pass it to APIs that accept an idempotency key. */
  readonly idempotencyKey: string;
  /**
   * Records this run as done inside your own database transaction, so that the handler's effect and the record commit
   * together, or not at all. For the Postgres and the SQLite inbox, in the same database.
   *
   * @param transaction the connection or client on which your transaction is open
   * @throws LeaseLostError when another process may have taken over the run. Do not catch it, so that your transaction
   *   rolls back.
   * @throws ScalekitWebhooksConfigurationError when the inbox is not in a database with transactions
   */
  complete(transaction: unknown): Promise<void>;
}

/**
 * A digest, so that it fits the length limits of other APIs even if the ids are long.
 *
 * @param application of the inbox: two applications that call the same API must not use the same keys
 */
export function idempotencyKey(
  endpoint: string,
  eventId: string,
  handlerId: string,
  application?: string,
): string {
  const parts = [endpoint, eventId, handlerId];
  if (application !== undefined) parts.push(application);
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}
