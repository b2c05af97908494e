import { TransactionNotCommittedError } from '../errors/errors.js';
import { toStorableText } from '../errors/safe-text.js';
import { answerInTime } from '../inbox/batcher.js';
import {
  type InboxEntry,
  type InboxErasure,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  type RunState,
} from '../inbox/inbox-queries.js';
import {
  type Admission,
  type InboxDelivery,
  type InboxEntity,
  type InboxEvent,
  type InboxLease,
  type InboxTransaction,
  type InboxWarningReporter,
  type RunClaim,
  type RunSettlement,
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
import { PostgresConnection } from './postgres.connection.js';
import { type PostgresInboxOptions, type ResolvedOptions, resolveOptions } from './postgres.options.js';
import { PostgresOrder } from './postgres.order.js';
import { pingPostgres } from './postgres.ping.js';
import { readCount, readPage, readStats, textOf, toInboxEntry, toKey } from './postgres.reads.js';
import { PostgresRetention } from './postgres.retention.js';
import { type PostgresTables, postgresTables } from './postgres.schema.js';
import { postgresStatements } from './postgres.sql.js';
import { PostgresTexts } from './postgres.texts.js';
import { takeDueStatement, toDueRuns, toRunCounts, workStatements } from './postgres.work.js';
import {
  completeLeased,
  PostgresRecovery,
  SharedStatement,
  toClaims,
  toKeyOfRuns,
  toLeasedRun,
  toQueued,
  toSettlementRow,
} from './postgres.writes.js';
import { requireOtherClient, transact } from './postgres-queryable.js';

/**
 * An inbox in Postgres 12 or later. It is durable, many processes can share it, and `delivery.transaction` commits a
 * handler's changes and the record of its run together. A claim and a settlement take one statement each. All times come
 * from the clock of the database server.
 *
 * @example
 * const pool = new Pool({ connectionString: process.env.POSTGRES_URL, connectionTimeoutMillis: 2000 });
 * pool.on('error', (error) => console.error(error.message));
 * ScalekitWebhooksModule.forRoot({ inbox: new PostgresInboxStore({ client: pool, application: 'billing' }) });
 */
export class PostgresInboxStore implements InboxWorkStore, InboxRecoveryStore, InboxEncryptionStore {
  readonly application: string;
  readonly #options: ResolvedOptions;
  readonly #connection: PostgresConnection;
  readonly #tables: PostgresTables;
  readonly #statements: ReturnType<typeof postgresStatements> & ReturnType<typeof workStatements>;
  readonly #claims: SharedStatement;
  readonly #enqueued: SharedStatement;
  readonly #settlements: SharedStatement;
  readonly #order: PostgresOrder;
  readonly #retention: PostgresRetention;
  readonly #recovery: PostgresRecovery;
  readonly #texts: PostgresTexts;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: PostgresInboxOptions) {
    this.#options = resolveOptions(options);
    const { application, schema, retentionMs, protection } = this.#options;
    const drops = protection.dropsPayloads;
    this.#connection = new PostgresConnection(this.#options);
    this.application = application;
    this.#tables = postgresTables(schema, application);
    this.#statements = { ...postgresStatements(this.#tables, drops), ...workStatements(this.#tables, drops) };
    this.#claims = new SharedStatement(this.#connection, this.#statements.claim);
    this.#enqueued = new SharedStatement(this.#connection, this.#statements.enqueue);
    this.#settlements = new SharedStatement(this.#connection, this.#statements.settle);
    this.#order = new PostgresOrder(this.#tables, this.#connection);
    this.#retention = new PostgresRetention(this.#tables, retentionMs, drops, this.#connection);
    this.#recovery = new PostgresRecovery(this.#tables, this.#connection);
    this.#texts = new PostgresTexts(this.#tables, this.#connection);
  }

  /**
   * Creates the tables, or updates them. You can repeat it, and several processes can run it at once. It has no
   * time limit. The migration before the first use fails after 10 s, and the next call tries again.
   */
  async migrate(): Promise<void> {
    await this.#connection.migrate();
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const stored = this.#options.protection.toStored(event);
    const claims = await this.#claims.askForEach(handlerIds, stored, toClaims(event, lease));
    this.#retention.pruneExpired();
    return claims;
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const rows = await this.#settlements.ask(settlements.map((one) => toSettlementRow(key, one, lease)));
    if (settlements.some(({ state }) => state === 'done')) await this.#retention.dropIfDone(key);
    return rows.map((row) => textOf(row, 'handler_id'));
  }

  /**
   * Records a run as done inside your own transaction. Make it the last statement before the commit: until then, other
   * deliveries of the event wait.
   *
   * @param transaction a client on which you have begun a transaction: a `pg` PoolClient, a PGlite transaction, a TypeORM
   *   EntityManager, or the transaction of Prisma, Drizzle or Kysely in its adapter
   * @throws LeaseLostError when the run lost its lease and another attempt may have taken over; roll back
   * @throws ScalekitWebhooksConfigurationError when `transaction` is not such a client, has no open transaction, or is the
   *   store's own client. Nothing was recorded.
   */
  async complete(
    transaction: InboxTransaction,
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
  ): Promise<void> {
    requireOtherClient(transaction, this.#options.client);
    await completeLeased(transaction, this.#statements.complete, key, handlerId, lease);
  }

  /**
   * Opens a transaction, runs `work` in it, records the run as done, and commits.
   *
   * @param work takes a PoolClient if the store's client is a `pg` Pool; the Transaction of PGlite; the EntityManager of
   *   TypeORM; or the transaction of Prisma, Drizzle or Kysely
   * @throws ScalekitWebhooksConfigurationError when the store's client is a single connection
   */
  transaction<Tx, Result>(
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
    work: (tx: Tx) => Promise<Result>,
  ): Promise<Result> {
    return transact(
      this.#options.client,
      async (tx, client) => {
        // The handler says what type the transactions of its library have.
        const result = await work(tx as Tx);
        await completeLeased(client, this.#statements.complete, key, handlerId, lease);
        return result;
      },
      () => new TransactionNotCommittedError(key.eventId, handlerId),
    );
  }

  admit(key: InboxKey, handlerId: string, lease: InboxLease, entity: InboxEntity): Promise<Admission> {
    return this.#order.admit(key, handlerId, lease, entity);
  }

  async payload(key: InboxKey): Promise<Uint8Array | undefined> {
    return this.#options.protection.open(key, (await this.#texts.read(key))?.payload);
  }

  async delivery(key: InboxKey): Promise<InboxDelivery | undefined> {
    return this.#options.protection.openDelivery(key, await this.#texts.delivery(key));
  }

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#connection.ask(this.#statements.reopen, toKeyOfRuns(key, handlerIds));
    return rows.map((row) => textOf(row, 'handler_id'));
  }

  async dismiss(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#connection.ask(this.#statements.dismiss, toKeyOfRuns(key, handlerIds));
    await this.#order.wake(key);
    await this.#retention.dropIfDone(key);
    return rows.map((row) => textOf(row, 'handler_id'));
  }

  async stats(endpoint?: string, states?: readonly RunState[]): Promise<readonly InboxRunCount[]> {
    return readStats(this.#connection, this.#tables, endpoint, states);
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const [row] = await this.#connection.ask(this.#statements.get, toKey(key));
    return row && toInboxEntry(row);
  }

  /** @throws ScalekitWebhooksConfigurationError when the cursor is not the `nextCursor` of an earlier page */
  async list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    return readPage(this.#connection, this.#tables, filter, page);
  }

  async count(filter: InboxFilter = {}): Promise<number> {
    return readCount(this.#connection, this.#tables, filter);
  }

  async prune(before: Date): Promise<number> {
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
    const stored = this.#options.protection.toStored(event);
    const states = await this.#enqueued.askForEach(handlerIds, stored, toQueued(event, places));
    this.#retention.pruneExpired();
    return states;
  }

  async takeDue(request: DueRequest): Promise<DueRuns> {
    const statement = takeDueStatement(this.#statements.takeDue, request);
    const taken = toDueRuns(await this.#connection.ask(...statement));
    return this.#options.protection.openDue(taken);
  }

  endTurn(key: InboxKey, handlerId: string, orderKey: string, lease: InboxLease): Promise<boolean> {
    return this.#order.endTurn(key, handlerId, orderKey, lease);
  }

  async extend(key: InboxKey, handlerId: string, lease: InboxLease): Promise<boolean> {
    const values = [...toLeasedRun(key, handlerId, lease), lease.durationMs];
    return (await this.#connection.ask(this.#statements.extend, values)).length > 0;
  }

  async stranded(
    endpoint: string,
    handlerIds: readonly string[],
    dueForMs: number,
  ): Promise<ReadonlyMap<string, number>> {
    const values = [toStorableText(endpoint), handlerIds.map(toStorableText), dueForMs];
    return toRunCounts(await this.#connection.query(this.#statements.stranded, values));
  }

  async setPaused(endpoint: string, isPaused: boolean): Promise<void> {
    await this.#connection.ask(this.#statements[isPaused ? 'pause' : 'resume'], [toStorableText(endpoint)]);
  }

  async isPaused(endpoint: string): Promise<boolean> {
    return (await this.#connection.ask(this.#statements.isPaused, [toStorableText(endpoint)])).length > 0;
  }

  reencrypt(page: InboxPageRequest = {}): Promise<ReencryptedPage> {
    return this.#options.protection.reencrypt(this, this.#texts, page);
  }

  beginRecovery(endpoint: string, lease: InboxLease): Promise<RecoveryStart | undefined> {
    return this.#recovery.begin(endpoint, lease);
  }

  endRecovery(endpoint: string, lease: InboxLease, checkpoint?: Date): Promise<boolean> {
    return this.#recovery.end(endpoint, lease, checkpoint);
  }

  onWarning(report: InboxWarningReporter): void {
    this.#connection.onWarning(report);
    this.#retention.onWarning(report);
  }

  /**
   * Resolves if the server is Postgres 12 or later and accepts writes, the tables are complete, and the role has the rights
   * that the store needs.
   *
   * @throws InboxUnusableError that says what is wrong and what to do
   * @throws InboxTimeoutError when there is no response within 10 s, as in `claim`, `settle`, `reopen`, `get` and `payload`
   */
  async ping(): Promise<void> {
    const ping = pingPostgres(this.#options, () => this.#connection.ready());
    const mayDelete = await answerInTime(ping, 'Postgres');
    if (!mayDelete) this.#retention.mayNotDelete();
  }

  /** Waits for work in the background, at most 10 s. It does not close the client. */
  async close(): Promise<void> {
    await this.#retention.idle();
  }
}
