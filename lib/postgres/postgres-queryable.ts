import { randomUUID } from 'node:crypto';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { refuseSetting } from '../errors/settings.js';
import { TransactionFence } from '../inbox/transaction-fence.js';
import { MESSAGES } from './postgres.messages.js';

/** A row that the client returned: values by column name. */
export type PostgresRow = Record<string, unknown>;

/**
 * The part of a Postgres client that the store uses. These fit as they are: a `pg` Pool, Client or PoolClient; PGlite and
 * its transactions; a TypeORM DataSource, EntityManager or QueryRunner. Wrap Prisma, Drizzle and Kysely in
 * {@link prismaQueryable}, {@link drizzleQueryable} and {@link kyselyQueryable}.
 */
export interface PostgresQueryable {
  /** Resolves to the rows, or to an object that has them. */
  query(text: string, values?: unknown[]): Promise<{ rows: PostgresRow[] } | PostgresRow[]>;
}

/** Adapts the client of another library to the store. Implement it for a library that has no adapter here. */
export interface PostgresAdapter extends PostgresQueryable {
  /** The client that is adapted. The store recognizes its own client by it, and opens transactions on it. */
  readonly adapted: unknown;
  /** Opens transactions, if the store cannot open them on the adapted client itself. */
  readonly transact?: PostgresTransact;
}

/**
 * Opens a transaction, runs `work` in it, and commits. If `work` or the commit fails, it rolls back and rejects.
 *
 * @param work takes the library's own transaction, which `delivery.transaction` passes on to the handler, and the same
 *   transaction as a client for the store
 */
export type PostgresTransact = <Result>(
  work: (tx: unknown, client: PostgresQueryable) => Promise<Result>,
) => Promise<Result>;

export function isPostgresAdapter(value: unknown): value is PostgresAdapter {
  return isPostgresQueryable(value) && 'adapted' in value;
}

export function isPostgresQueryable(value: unknown): value is PostgresQueryable {
  return typeof value === 'object' && value !== null && 'query' in value && typeof value.query === 'function';
}

export async function queryRows(
  client: PostgresQueryable,
  text: string,
  values: unknown[] = [],
): Promise<PostgresRow[]> {
  const result = await client.query(text, values);
  return Array.isArray(result) ? result : result.rows;
}

/**
 * Opens a transaction on the store's client, runs the work in it, and commits. If either fails, it rolls back.
 *
 * @param work takes the library's own transaction, and the same one as a client for the store
 * @param notCommitted the error to throw when the database answers the commit with a rollback
 * @throws ScalekitWebhooksConfigurationError when the client cannot open a transaction
 */
export async function transact<Result>(
  client: unknown,
  work: (tx: unknown, client: PostgresQueryable) => Promise<Result>,
  notCommitted: () => Error,
): Promise<Result> {
  if (isPostgresAdapter(client)) {
    return client.transact ? client.transact(work) : transact(client.adapted, work, notCommitted);
  }
  if (isPostgresPool(client)) return transactOnPool(client, work, notCommitted);
  if (hasTransaction(client)) return client.transaction((tx) => work(tx, tx));
  throw new ScalekitWebhooksConfigurationError('client', MESSAGES.clientWithoutTransactions);
}

/** @throws ScalekitWebhooksConfigurationError unless a transaction of the application is a client other than the store's */
export function requireOtherClient(
  transaction: unknown,
  storesClient: unknown,
): asserts transaction is PostgresQueryable {
  if (!isPostgresQueryable(transaction)) {
    refuseSetting('transaction', MESSAGES.notPostgresClient('transaction'));
  }
  if (underlyingClient(transaction) === underlyingClient(storesClient)) {
    refuseSetting('transaction', MESSAGES.storesOwnClient);
  }
}

/** The client that one or more adapters wrap. */
function underlyingClient(client: unknown): unknown {
  return isPostgresAdapter(client) ? underlyingClient(client.adapted) : client;
}

/** The name of the setting that marks a transaction. */
export const TRANSACTION_MARK = 'scalekit_webhooks.transaction';

/**
 * Records a run as done in the transaction that is open on the client, and only if one is. The statement finds the mark only
 * in the same transaction: outside of one, the mark is gone at once, and no other connection of a pool has it.
 *
 * @param statement the `complete` statement, whose last value is the mark
 * @returns whether the lease still held the run
 * @throws ScalekitWebhooksConfigurationError when no transaction is open; nothing was recorded
 */
export async function completeRun(
  client: PostgresQueryable,
  statement: string,
  values: readonly string[],
): Promise<boolean> {
  const mark = randomUUID();
  await queryRows(client, `SELECT set_config('${TRANSACTION_MARK}', $1::text, true)`, [mark]);
  const [row] = await queryRows(client, statement, [...values, mark]);
  if (row?.outcome === 'completed' || row?.outcome === 'lease lost') return row.outcome === 'completed';
  throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.noOpenTransaction);
}

/** A `pg` Pool. */
interface PostgresPool {
  readonly totalCount: number;
  query(statement: { name: string; text: string; values: unknown[] }): Promise<{ rows: PostgresRow[] }>;
  connect(callback: (error: Error | undefined, client?: PostgresPoolClient) => void): void;
}

/** A client that a pool has lent. */
interface PostgresPoolClient {
  query(text: string, values?: unknown[]): Promise<{ command: string; rows: PostgresRow[] }>;
  release(discard?: boolean): void;
  on(event: 'error', listener: () => void): unknown;
  removeListener(event: 'error', listener: () => void): unknown;
}

/** A `pg` Client also has `connect`, but only a Pool counts its clients. */
export function isPostgresPool(client: unknown): client is PostgresPool {
  return hasMethod(client, 'connect') && 'totalCount' in client;
}

async function transactOnPool<Result>(
  pool: PostgresPool,
  work: (tx: unknown, client: PostgresQueryable) => Promise<Result>,
  notCommitted: () => Error,
): Promise<Result> {
  const client = await lend(pool);
  // After the end, the pool may lend the client to somebody else.
  const fence = new TransactionFence();
  try {
    await client.query('BEGIN');
    const result = await work(fence.around(client), client);
    fence.end();
    // Postgres answers the commit of an aborted transaction with ROLLBACK, and not with an error.
    const { command } = await client.query('COMMIT');
    if (command === 'ROLLBACK') throw notCommitted();
    client.removeListener('error', ignore);
    client.release();
    return result;
  } catch (error) {
    fence.end();
    // Statements of the work may still be running. The end of the connection rolls everything back.
    client.release(true);
    throw error;
  }
}

/**
 * Takes a client out of the pool. Without a listener, a connection that the server ends would end the process, and the end
 * can arrive together with the client: before the continuation of a promise could listen.
 */
function lend(pool: PostgresPool): Promise<PostgresPoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (!client) return reject(error);
      client.on('error', ignore);
      resolve(client);
    });
  });
}

function ignore(): void {}

/** PGlite, or a DataSource of TypeORM. */
interface TransactionalClient {
  transaction<Result>(work: (tx: PostgresQueryable) => Promise<Result>): Promise<Result>;
}

function hasTransaction(client: unknown): client is TransactionalClient {
  return hasMethod(client, 'transaction');
}

function hasMethod(value: unknown, name: string): value is object {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function';
}
