import type {
  InboxEntry,
  InboxEvent,
  InboxFilter,
  InboxKey,
  InboxLease,
  InboxPage,
  InboxPageRequest,
  InboxStore,
  RunClaim,
  RunSettlement,
} from '../inbox/inbox-store.js';
import { claimRun, type RunRecord, reopenRun, settleRun } from '../inbox/run-states.js';
import { countEntries, selectEntry, selectPage, selectPayload } from './sqlite.reads.js';
import { completeInTransaction, pruneEvents, SqliteLedgerRows } from './sqlite.runs.js';
import { migrate, readVersion, type SqliteTables, sqliteTables } from './sqlite.schema.js';
import { SqliteWriteQueue } from './sqlite.write-queue.js';
import type { SqliteDatabase } from './sqlite-database.js';
import { attemptUntil, inTransaction, makeDurable } from './sqlite-database.js';
import { resolveSqliteInboxOptions, type SqliteInboxOptions } from './sqlite-inbox.options.js';

// What one transaction forgets at most: others, and the event loop, wait for it.
const FORGOTTEN_AT_ONCE = 200;
const RETENTION_PAUSE_MS = 60_000;

/**
 * The inbox that lasts, on one machine: in a SQLite file that several processes may share. It makes its tables itself,
 * at the first use. Its clock is that of the machine.
 *
 * - Durability: WAL and `synchronous` FULL are set on the connection, so that what Scalekit was told is done outlasts
 *   a power failure.
 * - Waiting: claims and settles are short transactions; those that come together share one. While another is open, on
 *   this connection or on others, they are tried again without holding up the event loop; after `busyTimeoutMs` they
 *   reject with the driver's error.
 * - Sharing a connection with the application is possible (with `:memory:` there is no other way), at a price: the
 *   store then waits for the application's transactions, and the reads may show what is rolled back later.
 *
 * @example new SqliteInboxStore({ database: new DatabaseSync('ledger.db') })
 */
export class SqliteInboxStore implements InboxStore {
  readonly #database: SqliteDatabase;
  readonly #writes: SqliteWriteQueue;
  readonly #busyTimeoutMs: number;
  readonly #tables: SqliteTables;
  readonly #retentionMs: number;
  #ready: Promise<void> | undefined;
  #nextRetentionAt = 0;

  /** @throws ScalekitWebhooksConfigurationError when an option cannot work */
  constructor(options: SqliteInboxOptions) {
    const { database, tablePrefix, retentionMs, busyTimeoutMs } = resolveSqliteInboxOptions(options);
    this.#database = database;
    this.#writes = new SqliteWriteQueue(database, busyTimeoutMs);
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#tables = sqliteTables(tablePrefix);
    this.#retentionMs = retentionMs;
  }

  claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    return this.#write((ledger) => {
      const now = Date.now();
      const number = ledger.find(event) ?? ledger.record(event, now);
      const rows = ledger.read(number);
      const claims = new Map<string, RunClaim>();
      for (const handlerId of handlerIds) {
        const { claim, run } = claimRun(rows.get(handlerId), lease, now);
        if (run) ledger.write(number, handlerId, run);
        claims.set(handlerId, claim);
      }
      this.#forgetExpired(now);
      return claims;
    });
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    return this.#write((ledger) => {
      const now = Date.now();
      const number = ledger.find(key);
      if (number === undefined) return [];
      const rows = ledger.read(number);
      return settlements.flatMap((settlement) => {
        const { handlerId } = settlement;
        const row = rows.get(handlerId);
        if (isCompleted(row, settlement, lease)) return [handlerId];
        const settled = settleRun(row, settlement, lease, now);
        if (!settled) return [];
        ledger.write(number, handlerId, settled);
        return [handlerId];
      });
    });
  }

  /**
   * Records a success in the transaction that is open on `transaction`: a connection to the file of the ledger, the
   * store's own or another. The record is written before the call returns.
   *
   * Begin with `BEGIN IMMEDIATE`, so that the transaction need not be given up when others write, and with
   * `PRAGMA synchronous = FULL`, which is not better-sqlite3's default. Await little else before the commit: handlers
   * run side by side, and a second one cannot begin a transaction until the first has ended.
   *
   * @throws LeaseLostError when the run has lost its lease: roll back
   * @throws ScalekitWebhooksConfigurationError when `transaction` is no connection, or none with an open transaction
   */
  async complete(transaction: unknown, key: InboxKey, handlerId: string, lease: InboxLease): Promise<void> {
    // Neither the queue of writes nor its retries: those wait for this very transaction.
    completeInTransaction(transaction, this.#tables, key, handlerId, lease);
  }

  payload(key: InboxKey): Promise<Uint8Array | undefined> {
    return this.#read((database) => selectPayload(database, this.#tables, key));
  }

  reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    return this.#write((ledger) => {
      const now = Date.now();
      const number = ledger.find(key);
      if (number === undefined) return [];
      return [...ledger.read(number)].flatMap(([handlerId, row]) => {
        const asked = handlerIds?.includes(handlerId) ?? false;
        const reopened = handlerIds && !asked ? undefined : reopenRun(row, asked, now);
        if (!reopened) return [];
        ledger.write(number, handlerId, reopened);
        return [handlerId];
      });
    });
  }

  get(key: InboxKey): Promise<InboxEntry | undefined> {
    return this.#read((database) => selectEntry(database, this.#tables, key));
  }

  list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    return this.#read((database) => selectPage(database, this.#tables, filter, page));
  }

  count(filter: InboxFilter = {}): Promise<number> {
    return this.#read((database) => countEntries(database, this.#tables, filter));
  }

  async prune(before: Date): Promise<number> {
    let pruned = 0;
    for (;;) {
      const forgotten = await this.#write(() => this.#forget(before.getTime(), Date.now()));
      pruned += forgotten;
      if (forgotten < FORGOTTEN_AT_ONCE) return pruned;
    }
  }

  async ping(): Promise<void> {
    await this.#read((database) => readVersion(database, this.#tables));
  }

  /** Resolves when the writes under way have ended. The connection stays open: it is the caller's. */
  async close(): Promise<void> {
    await this.#ready?.catch(() => undefined);
    await this.#writes.idle();
  }

  async #write<T>(work: (ledger: SqliteLedgerRows) => T): Promise<T> {
    await this.#prepare();
    return this.#writes.write((database) => work(new SqliteLedgerRows(database, this.#tables)));
  }

  async #read<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    await this.#prepare();
    return this.#attempt(work);
  }

  #prepare(): Promise<void> {
    this.#ready ??= this.#attempt((database) => {
      inTransaction(database, () => migrate(database, this.#tables));
      makeDurable(database);
    }).catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  #attempt<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    return attemptUntil(performance.now() + this.#busyTimeoutMs, this.#database, work);
  }

  #forgetExpired(now: number): void {
    if (now < this.#nextRetentionAt) return;
    const forgotten = this.#forget(now - this.#retentionMs, now);
    this.#nextRetentionAt = forgotten < FORGOTTEN_AT_ONCE ? now + RETENTION_PAUSE_MS : now;
  }

  #forget(before: number, now: number): number {
    return pruneEvents(this.#database, this.#tables, before, now, FORGOTTEN_AT_ONCE);
  }
}

/** Whether a run that is being settled as done was recorded by `complete` before. */
function isCompleted(row: RunRecord | undefined, settlement: RunSettlement, lease: InboxLease): boolean {
  return row?.state === 'done' && settlement.state === 'done' && row.leaseToken === lease.token;
}
