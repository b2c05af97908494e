import { createHash } from 'node:crypto';
import type { EventIssue, TransactionNotCommittedError } from '../errors/errors.js';
import type { InboxTransaction } from '../inbox/inbox-store.js';

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
  /**
   * The request's headers, with lower-case names. In a worker, without signatures and credentials: without every header
   * whose name contains `authorization`, `cookie`, `signature`, `token`, `secret`, `apikey`, `api-key` or `jwt`. Empty in a
   * replay, and if the event did not arrive by HTTP.
   */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The problems that validation found. Always empty unless `validation` is `'lenient'`. */
  readonly issues: readonly EventIssue[];
  /** Fires at the deadline. Pass it to work that can be cancelled. */
  readonly signal: AbortSignal;
  /** The same for every attempt of this handler for this event. Pass it to APIs that accept an idempotency key. */
  readonly idempotencyKey: string;
  /**
   * Does the handler's work in a database transaction, so that its changes and the record of this run are committed
   * together, or not at all: opens a transaction on the inbox's own database, runs `work`, records the run as done, and
   * commits. If `work` throws, or is still in progress at the deadline, everything is rolled back and the error is thrown
   * here.
   *
   * What `work` gets depends on the inbox's client: with a `pg` Pool a PoolClient, with PGlite its Transaction, with TypeORM
   * an EntityManager, with Prisma, Drizzle and Kysely their own transactions, and with SQLite the inbox's connection. Use it
   * for all of the handler's statements. To try again after an error, call `transaction` again; once it has committed, it
   * refuses a second call.
   *
   * The memory inbox records the run after `work`, without a transaction. The Redis inbox does not support it.
   *
   * @returns what `work` returned, after the commit
   * @throws LeaseLostError when another process may have taken over the run, or an earlier call has committed although its
   *   response was lost. Everything in this call was rolled back.
   * @throws TransactionTimeoutError when `work` was still in progress at the deadline
   * @throws TransactionNotCommittedError when the database rolled back instead of committing
   * @throws ScalekitWebhooksConfigurationError when the inbox cannot open a transaction
   *
   * @example
   * await delivery.transaction(async (client: PoolClient) => {
   *   await client.query('UPDATE seats SET used = used + 1 WHERE organization = $1', [id]);
   * });
   */
  transaction<Tx = unknown, Result = void>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /**
   * Records this run as done inside a transaction that you have opened yourself, in the inbox's database. Prefer
   * {@link transaction}, which opens it for you. Commit before the handler returns. If the run is not done in the inbox by
   * then, it fails with a {@link TransactionNotCommittedError}.
   *
   * @param transaction the client or connection on which your transaction is open; for Prisma, Drizzle and Kysely, wrapped
   *   in their adapter
   * @throws LeaseLostError when another process may have taken over the run, or you have recorded it before. Do not catch
   *   it, so that your transaction rolls back.
   * @throws ScalekitWebhooksConfigurationError when `transaction` is not an open transaction, or when the inbox is not in a
   *   database with transactions
   */
  complete(transaction: InboxTransaction): Promise<void>;
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
