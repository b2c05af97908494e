import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxLease, InboxTransaction } from '../inbox/inbox-store.js';
import { TransactionFence } from '../inbox/transaction-fence.js';
import type { SqliteTables } from './sqlite.schema.js';
import { completeRun } from './sqlite.writes.js';
import {
  inTransaction,
  isBusyError,
  LONGEST_PAUSE_MS,
  MESSAGES,
  retryWhileBusy,
  type SqliteDatabase,
  tryExec,
} from './sqlite-database.js';

/** The maximum number of writes in one transaction. The event loop and other processes wait for it. */
const MAX_BATCH_SIZE = 25;
/** How long a queue that never empties keeps other processes from writing. */
const MAX_BUSY_MS = 50;
const SAVEPOINT = 'scalekit_webhooks_write';

/** How often a transaction that stays open looks for writes that have waited too long, in ms. */
const EXPIRY_INTERVAL_MS = 50;

interface QueuedWrite {
  readonly giveUpAt: number;
  /** Does the work, and returns a function that reports its result. Call it after the commit. */
  run(database: SqliteDatabase): () => void;
  reject(error: unknown): void;
}

interface QueuedTransaction {
  readonly giveUpAt: number;
  /** Begins the transaction, and resolves when it has ended. Never rejects. */
  transact(): Promise<void>;
  reject(error: unknown): void;
}

/**
 * Writes to the database in the order of the calls. Writes that arrive together share a transaction, because every commit
 * waits for the disk. Each write still succeeds or fails on its own, and resolves only after the commit.
 *
 * A transaction that stays open while its work waits for something has the connection to itself. Writes that wait for it for
 * too long reject.
 */
export class SqliteWriteQueue {
  readonly #waiting: (QueuedWrite | QueuedTransaction)[] = [];
  #draining: Promise<void> | undefined;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly busyTimeoutMs: number,
  ) {}

  /** Does the work in a write transaction. If the database is busy, the work starts over. */
  write<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (database: SqliteDatabase) => inSavepoint(database, work, resolve, reject);
      this.#enqueue({ giveUpAt: performance.now() + this.busyTimeoutMs, run, reject });
    });
  }

  /**
   * Begins a transaction, does the work, and commits. If either fails, it rolls back.
   *
   * @param record runs after the work, in the same turn of the event loop as the commit
   */
  transact<T>(work: () => Promise<T>, record: (database: SqliteDatabase) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUpAt = performance.now() + this.busyTimeoutMs;
      const transact = () => this.#transact(work, record, giveUpAt).then(resolve, reject);
      this.#enqueue({ giveUpAt, transact, reject });
    });
  }

  /** Resolves when all writes have ended. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    let busySince = performance.now();
    while (this.#waiting.length > 0) {
      await this.#next();
      await turn();
      if (performance.now() - busySince < MAX_BUSY_MS) continue;
      // SQLite's lock is not fair: a process that asks again at once would always get it.
      await delay(LONGEST_PAUSE_MS);
      busySince = performance.now();
    }
    this.#draining = undefined;
  }

  #enqueue(queued: QueuedWrite | QueuedTransaction): void {
    this.#waiting.push(queued);
    this.#draining ??= this.#drain();
  }

  /** Executes what is next: a transaction of a handler, or the writes that wait before one. */
  async #next(): Promise<void> {
    const writes: QueuedWrite[] = [];
    for (const queued of this.#waiting.slice(0, MAX_BATCH_SIZE)) {
      if ('transact' in queued) {
        if (writes.length > 0) break;
        this.#waiting.shift();
        return queued.transact();
      }
      writes.push(queued);
    }
    this.#waiting.splice(0, writes.length);
    return this.#commit(writes);
  }

  async #transact<T>(
    work: () => Promise<T>,
    record: (database: SqliteDatabase) => void,
    giveUpAt: number,
  ): Promise<T> {
    const timer = setInterval(() => this.#rejectExpired(), EXPIRY_INTERVAL_MS);
    try {
      await retryWhileBusy(this.database, giveUpAt, (database) => database.exec('BEGIN IMMEDIATE'));
      const result = await work();
      record(this.database);
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      tryExec(this.database, 'ROLLBACK');
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  #rejectExpired(): void {
    const now = performance.now();
    const expired = this.#waiting.filter(({ giveUpAt }) => giveUpAt <= now);
    for (const queued of expired) {
      this.#waiting.splice(this.#waiting.indexOf(queued), 1);
      queued.reject(new Error(MESSAGES.transactionTooLong));
    }
  }

  async #commit(writes: readonly QueuedWrite[]): Promise<void> {
    try {
      const reports = await retryWhileBusy(this.database, writes[0]?.giveUpAt ?? 0, (database) =>
        inTransaction(database, () => writes.map((write) => write.run(database))),
      );
      for (const report of reports) report();
    } catch (error) {
      const now = performance.now();
      const retried = writes.filter(({ giveUpAt }) => isBusyError(error) && giveUpAt > now);
      for (const write of writes) if (!retried.includes(write)) write.reject(error);
      this.#waiting.unshift(...retried);
    }
  }
}

/**
 * Undoes a write that fails, and keeps the other writes of the transaction.
 * @throws the error of the work if it ended the whole transaction
 */
function inSavepoint<T>(
  database: SqliteDatabase,
  work: (database: SqliteDatabase) => T,
  resolve: (result: T) => void,
  reject: (error: unknown) => void,
): () => void {
  database.exec(`SAVEPOINT ${SAVEPOINT}`);
  try {
    const result = work(database);
    database.exec(`RELEASE ${SAVEPOINT}`);
    return () => resolve(result);
  } catch (error) {
    if (!tryExec(database, `ROLLBACK TO ${SAVEPOINT}`)) throw error;
    database.exec(`RELEASE ${SAVEPOINT}`);
    return () => reject(error);
  }
}

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
      async () => {
        const fence = new TransactionFence();
        const tx = fence.around(this.database);
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
