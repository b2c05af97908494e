import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { InboxKey } from '../inbox/inbox-entry.js';
import type { InboxLease } from '../inbox/inbox-store.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { SqliteTables } from './sqlite.tables.js';
import { isSqliteDatabase, type SqliteDatabase } from './sqlite-database.js';
import { isNestedTransactionError } from './sqlite-error.js';

/**
 * Writes a success in the transaction that is open on the caller's connection. The row keeps the lease's token, by
 * which the settlement that follows is recognised.
 */
export function completeInTransaction(
  transaction: unknown,
  tables: SqliteTables,
  { endpoint, eventId }: InboxKey,
  handlerId: string,
  lease: InboxLease,
): void {
  if (!isSqliteDatabase(transaction)) {
    throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.notASqliteDatabase('transaction'));
  }
  requireTransaction(transaction);
  // One statement that writes: reading first could leave a deferred transaction with an old state of the database.
  const written = transaction
    .prepare(
      `UPDATE ${tables.handlers}
        SET state = 'done', updated_at = ?, lease_ends_at = NULL, error_name = NULL, error_message = NULL
        WHERE event_number = (SELECT number FROM ${tables.events} WHERE endpoint = ? AND event_id = ?)
          AND handler_id = ? AND state IN ('running', 'done') AND lease_token = ?
        RETURNING 1`,
    )
    .all(Date.now(), endpoint, eventId, handlerId, lease.token);
  if (written.length === 0) throw new LeaseLostError(eventId, handlerId);
}

/** Not every driver tells whether a transaction is open; every one refuses to begin a second. */
function requireTransaction(database: SqliteDatabase): void {
  try {
    database.exec('BEGIN');
  } catch (error) {
    if (isNestedTransactionError(error)) return;
    throw error;
  }
  database.exec('ROLLBACK');
  throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.noOpenTransaction);
}
