import { describeValue } from '../errors/settings.js';

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  notPostgresClient: (setting: string) =>
    `${setting} must have a query(text, values) method, like a pg Pool, a pg PoolClient or PGlite. Wrap the clients of Prisma, Drizzle and Kysely in prismaQueryable(), drizzleQueryable() and kyselyQueryable().`,
  storesOwnClient:
    "delivery.complete() got the inbox's own client, which other deliveries use too. Pass the client that your transaction is open on, or use delivery.transaction().",
  noOpenTransaction:
    'delivery.complete() got a client without an open transaction, such as a pool, so nothing was recorded. Pass the client that your transaction is open on, or use delivery.transaction().',
  clientWithoutTransactions:
    'delivery.transaction() needs a client that can open a transaction of its own: a pg Pool, PGlite, a TypeORM DataSource, or a Prisma, Drizzle or Kysely client in its adapter. Give one to PostgresInboxStore, or open the transaction yourself and call delivery.complete().',
  preparedStatementLost:
    'A connection to Postgres does not have a statement that the store has prepared. This happens behind a pooler that does not support prepared statements. The store no longer prepares statements. To avoid this warning, set preparedStatements: false, or configure the pooler to support prepared statements (in PgBouncer, with max_prepared_statements).',
  schemaNameInvalid: (found: unknown) =>
    `schema must be 1 to 63 letters, digits or "_", and must not start with a digit; found ${describeValue(found)}.`,
  retentionFailed: (table: string) =>
    `Events older than retentionMs could not be deleted from ${table}, so it keeps growing. The role of the client needs the rights UPDATE and DELETE on this table: GRANT UPDATE, DELETE ON ${table} TO <role>. The store tries again in an hour.`,
  nothingDeleted: (table: string) =>
    `Postgres deleted none of the events older than retentionMs from ${table} and reported no error, so the table keeps growing. Check its triggers and its row-level security policies. The store tries again in an hour.`,
  dropFailed: (table: string) =>
    `The payloads of events whose runs are done could not be dropped from ${table}. The role of the client needs the right UPDATE on this table: GRANT UPDATE ON ${table} TO <role>. The store tries again in an hour.`,
  runsLocked: (count: number) =>
    `${count} runs of the entries to erase are locked by transactions that stay open, so their errors could not be erased. End these transactions, or wait for them, and erase again.`,
  cursorInvalid: (found: unknown) =>
    `cursor must be the nextCursor of an earlier page; found ${describeValue(found)}.`,
} as const;
