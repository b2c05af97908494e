import type {
  InboxEntry,
  InboxErasure,
  InboxFilter,
  InboxKey,
  InboxPage,
  InboxPageRequest,
  InboxRunCount,
  RunState,
} from '../inbox/inbox-queries.js';
import type {
  Admission,
  InboxDelivery,
  InboxEntity,
  InboxEvent,
  InboxLease,
  InboxTransaction,
  InboxWarningReporter,
  RunClaim,
  RunSettlement,
} from '../inbox/inbox-store.js';
import type {
  DueRequest,
  DueRuns,
  InboxEncryptionStore,
  InboxRecoveryStore,
  InboxWorkStore,
  OrderPlace,
  RecoveryStart,
  ReencryptedPage,
} from '../inbox/inbox-work.js';
import type { PayloadProtection, StoredTexts } from '../inbox/payload-protection.js';
import { resolveOptions, type SqliteInboxOptions } from './sqlite.options.js';
import { admit, endTurn } from './sqlite.order.js';
import { countEntries, selectEntry, selectPage, selectRunCounts, selectTexts } from './sqlite.reads.js';
import { SqliteRetention } from './sqlite.retention.js';
import { prepare, requireTables, type SqliteTables, sqliteTables } from './sqlite.schema.js';
import {
  beginRecovery,
  claim,
  countStranded,
  dismiss,
  endRecovery,
  enqueue,
  extend,
  hasDueRuns,
  isPaused,
  reopen,
  setPaused,
  settle,
  takeDue,
} from './sqlite.work.js';
import { SqliteTransactions, SqliteWriteQueue } from './sqlite.write-queue.js';
import { SqliteWriter } from './sqlite.writes.js';
import {
  inTransaction,
  preparingOnce,
  refuseUnusable,
  retryWhileBusy,
  type SqliteDatabase,
} from './sqlite-database.js';

/**
 * An inbox in a SQLite file, which several processes on one machine can share. It is durable, creates its tables on first
 * use, and takes the time from the clock of the machine.
 *
 * - Durability: the store sets WAL mode and `synchronous = FULL` on its connection, so that an acknowledged event survives
 *   a power failure.
 * - Waiting: claims and settlements are short transactions, and those that arrive together share one. If another
 *   transaction is open, on this or another connection, the store tries again without blocking the event loop. After
 *   `busyTimeoutMs` it rejects with the driver's error.
 * - Sharing a connection with your application works, and is the only way with `:memory:`. The store then waits for your
 *   transactions, and its reads can show changes that are rolled back later.
 *
 * @example new SqliteInboxStore({ database: new DatabaseSync('inbox.db') })
 */
export class SqliteInboxStore implements InboxWorkStore, InboxRecoveryStore, InboxEncryptionStore {
  readonly #database: SqliteDatabase;
  readonly #tables: SqliteTables;
  readonly #busyTimeoutMs: number;
  readonly #writes: SqliteWriteQueue;
  readonly #transactions: SqliteTransactions;
  readonly #retention: SqliteRetention;
  readonly #protection: PayloadProtection;
  #prepared: Promise<void> | undefined;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: SqliteInboxOptions) {
    const { database, tablePrefix, retentionMs, busyTimeoutMs, protection } = resolveOptions(options);
    this.#protection = protection;
    this.#database = preparingOnce(database);
    this.#tables = sqliteTables(tablePrefix);
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#writes = new SqliteWriteQueue(this.#database, busyTimeoutMs);
    this.#transactions = new SqliteTransactions(database, this.#tables, this.#writes);
    this.#retention = new SqliteRetention(this.#tables, retentionMs, (work) => this.#write(work));
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const stored = this.#protection.toStored(event);
    const claims = await this.#write((writer) => claim(writer, stored, handlerIds, lease));
    await this.#retention.pruneExpired();
    return claims;
  }

  settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    return this.#write((writer) => {
      this.#transactions.ended(key);
      return settle(writer, key, settlements, lease);
    });
  }

  /**
   * Records a run as done inside your own transaction. The record is written before this method returns its promise.
   *
   * Begin the transaction with `BEGIN IMMEDIATE`, so that it does not fail if others write, and set `synchronous = FULL` on
   * its connection: it is not the default in better-sqlite3. Await as little as possible before you commit: other handlers
   * cannot begin a transaction until yours ends.
   *
   * @param transaction a connection to the inbox's file that has an open transaction: the store's own, or another
   * @throws LeaseLostError when the run lost its lease; roll back
   * @throws ScalekitWebhooksConfigurationError when `transaction` is not a connection, or has no open transaction
   */
  async complete(
    transaction: InboxTransaction,
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
  ): Promise<void> {
    this.#transactions.complete(transaction, key, handlerId, lease);
  }

  /**
   * Runs `work` in a transaction on the store's own connection, records the run as done, and commits. All other claims and
   * settlements wait for it, for `busyTimeoutMs` at most, so do not wait for anything slow in it.
   *
   * @param work gets the connection, which it can use until the transaction ends
   */
  async transaction<Tx, Result>(
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
    work: (tx: Tx) => Promise<Result>,
  ): Promise<Result> {
    await this.#prepare();
    return this.#transactions.transact(key, handlerId, lease, work);
  }

  admit(key: InboxKey, handlerId: string, lease: InboxLease, entity: InboxEntity): Promise<Admission> {
    return this.#write((writer) => admit(writer, key, handlerId, lease, entity));
  }

  async payload(key: InboxKey): Promise<Uint8Array | undefined> {
    return this.#protection.open(key, (await this.#texts(key))?.payload);
  }

  async delivery(key: InboxKey): Promise<InboxDelivery | undefined> {
    return this.#protection.openDelivery(key, (await this.#texts(key))?.delivery);
  }

  reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    return this.#write((writer) => reopen(writer, key, handlerIds));
  }

  dismiss(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    return this.#write((writer) => dismiss(writer, key, handlerIds));
  }

  stats(endpoint?: string, states?: readonly RunState[]): Promise<readonly InboxRunCount[]> {
    return this.#read((database) => selectRunCounts(database, this.#tables, endpoint, states));
  }

  /** An entry that a transaction on the store's own connection has changed is read when the transaction has ended. */
  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const select = (database: SqliteDatabase) => selectEntry(database, this.#tables, key);
    if (!this.#transactions.mayBeUncommitted(key)) return this.#read(select);
    const entry = await this.#read((database) => inTransaction(database, select, 'BEGIN'));
    this.#transactions.ended(key);
    return entry;
  }

  list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    return this.#read((database) => selectPage(database, this.#tables, filter, page));
  }

  count(filter: InboxFilter = {}): Promise<number> {
    return this.#read((database) => countEntries(database, this.#tables, filter));
  }

  prune(before: Date): Promise<number> {
    return this.#retention.pruneBefore(before);
  }

  erase(which: InboxErasure): Promise<number> {
    return this.#retention.erase(which);
  }

  async enqueue(
    event: InboxEvent,
    handlerIds: readonly string[],
    places?: ReadonlyMap<string, OrderPlace>,
  ): Promise<ReadonlyMap<string, RunState>> {
    const stored = this.#protection.toStored(event);
    const states = await this.#write((writer) => enqueue(writer, stored, handlerIds, places));
    await this.#retention.pruneExpired();
    return states;
  }

  async takeDue(request: DueRequest): Promise<DueRuns> {
    // Most polls find nothing, and a read does not keep other processes from writing.
    const { hasDue, isPaused } = await this.#read((database) => hasDueRuns(database, this.#tables, request));
    if (!hasDue) return { runs: [], isPaused };
    return this.#protection.openDue(await this.#write((writer) => takeDue(writer, request)));
  }

  endTurn(key: InboxKey, handlerId: string, orderKey: string, lease: InboxLease): Promise<boolean> {
    return this.#write((writer) => endTurn(writer, key, handlerId, orderKey, lease));
  }

  extend(key: InboxKey, handlerId: string, lease: InboxLease): Promise<boolean> {
    return this.#write((writer) => extend(writer, key, handlerId, lease));
  }

  stranded(endpoint: string, ids: readonly string[], dueForMs: number): Promise<ReadonlyMap<string, number>> {
    return this.#read((database) => countStranded(database, this.#tables, endpoint, ids, dueForMs));
  }

  setPaused(endpoint: string, isPaused: boolean): Promise<void> {
    return this.#write(() => setPaused(this.#database, this.#tables, endpoint, isPaused));
  }

  isPaused(endpoint: string): Promise<boolean> {
    return this.#read((database) => isPaused(database, this.#tables, endpoint));
  }

  reencrypt(page: InboxPageRequest = {}): Promise<ReencryptedPage> {
    const replace = (...given: Parameters<SqliteWriter['replaceTexts']>) =>
      this.#write((writer) => writer.replaceTexts(...given));
    return this.#protection.reencrypt(this, { read: (key) => this.#texts(key), replace }, page);
  }

  beginRecovery(endpoint: string, lease: InboxLease): Promise<RecoveryStart | undefined> {
    return this.#write(() => beginRecovery(this.#database, this.#tables, endpoint, lease));
  }

  endRecovery(endpoint: string, lease: InboxLease, checkpoint?: Date): Promise<boolean> {
    return this.#write(() => endRecovery(this.#database, this.#tables, endpoint, lease, checkpoint));
  }

  onWarning(report: InboxWarningReporter): void {
    this.#retention.onWarning(report);
  }

  /** Resolves if the tables are complete and the file accepted writes. @throws InboxUnusableError that says what to do */
  async ping(): Promise<void> {
    await this.#read((database) => requireTables(database, this.#tables)).catch(refuseUnusable);
  }

  /** Waits for writes in progress. It does not close the connection. */
  async close(): Promise<void> {
    await this.#prepared?.catch(() => undefined);
    await this.#writes.idle();
  }

  #texts(key: InboxKey): Promise<StoredTexts | undefined> {
    return this.#read((database) => selectTexts(database, this.#tables, key));
  }

  async #write<T>(work: (writer: SqliteWriter) => T): Promise<T> {
    await this.#prepare();
    const { dropsPayloads } = this.#protection;
    return this.#writes.write((database) => work(new SqliteWriter(database, this.#tables, dropsPayloads)));
  }

  async #read<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    await this.#prepare();
    return this.#retry(work);
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#retry((database) => prepare(database, this.#tables)).catch((error) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  #retry<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    return retryWhileBusy(this.#database, performance.now() + this.#busyTimeoutMs, work);
  }
}
