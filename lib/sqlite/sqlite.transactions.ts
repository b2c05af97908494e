import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxLease, InboxTransaction } from '../inbox/inbox-store.js';
import { TransactionFence } from '../inbox/transaction-fence.js';
import { MESSAGES } from './sqlite.messages.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteWriteQueue } from './sqlite.write-queue.js';
import { completeRun } from './sqlite.writes.js';
import type { SqliteDatabase } from './sqlite-database.js';

/** Records runs in transactions of handlers, on the store's own connection or on another one. */
export class SqliteTransactions {
  /** The run whose `transact` is open, and the connection as its work sees it. */
  #open: { readonly run: string; readonly tx: SqliteDatabase } | undefined;
  /** The events with a run that was completed on the store's own connection. */
  readonly #completed = new Set<string>();

  constructor(
    private readonly database: SqliteDatabase,
    private readonly tables: SqliteTables,
    private readonly writes: SqliteWriteQueue,
  ) {}

  /** Records a run in a transaction that the handler has opened. */
  complete(transaction: InboxTransaction, key: InboxKey, handlerId: string, lease: InboxLease): void {
    const isOwn = transaction === this.database || transaction === this.#open?.tx;
    const run = idOf(key, handlerId, lease.token);
    if (isOwn && (this.#open?.run ?? run) !== run) {
      throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.noOpenTransaction);
    }
    // This does not go through the write queue, which may be waiting for this very transaction.
    completeRun(transaction, this.tables, key, handlerId, lease);
    if (isOwn) this.#completed.add(idOf(key));
  }

  /** Runs the work in a transaction on the store's own connection, and records the run with it. */
  transact<Tx, Result>(
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
    work: (tx: Tx) => Promise<Result>,
  ): Promise<Result> {
    return this.writes.transact(
      async (database) => {
        const fence = new TransactionFence();
        const tx = fence.around(database);
        this.#open = { run: idOf(key, handlerId, lease.token), tx };
        try {
          // The handler says what type its connections have.
          return await work(tx as Tx);
        } finally {
          this.#open = undefined;
          fence.end();
        }
      },
      (database) => completeRun(database, this.tables, key, handlerId, lease),
    );
  }

  /** Whether the store's own connection may show a record of this event that is not committed. */
  mayBeUncommitted(key: InboxKey): boolean {
    return this.#completed.has(idOf(key));
  }

  /** No transaction is open on the store's own connection now. */
  ended(key: InboxKey): void {
    this.#completed.delete(idOf(key));
  }
}

/** An id of an event, or of a run under a lease. */
function idOf({ endpoint, eventId }: InboxKey, ...run: readonly string[]): string {
  return JSON.stringify([endpoint, eventId, ...run]);
}
