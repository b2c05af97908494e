import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { requirePositiveInteger } from '../errors/settings.js';
import { DEFAULT_RETENTION_MS } from '../inbox/inbox-store.js';
import { MESSAGES } from './postgres.messages.js';
import { assertSchemaName, DEFAULT_SCHEMA } from './postgres.schema.js';
import { isPostgresQueryable, type PostgresQueryable } from './postgres-queryable.js';

/** Where a {@link PostgresInboxStore} keeps its ledger, and for how long. */
export interface PostgresInboxOptions {
  /**
   * The database: a `pg` Pool, PGlite, a TypeORM DataSource, or `prismaQueryable(prisma)`. The store never closes it. Give
   * the pool time-outs (`connectionTimeoutMillis`, `statement_timeout`) of a few seconds, and an `error` listener, as
   * `pg` asks for. Transactions must have the isolation that is Postgres's default, read committed. A pooler such as
   * PgBouncer may stand between: nothing is kept in a session.
   */
  client: PostgresQueryable;
  /**
   * The schema of the ledger's tables: letters, digits and `_`, at most 63.
   * @default 'scalekit_webhooks'
   */
  schema?: string;
  /**
   * How long an event is remembered, in ms. Older ones are forgotten in the background, at most once an hour. Keep it
   * longer than Scalekit retries an event: 28 hours.
   * @default 2592000000 (30 days)
   */
  retentionMs?: number;
  /**
   * Whether the store makes its tables, or brings them up to date, before its first use. With `false`, run the SQL of
   * `postgresSchemaSql()` yourself.
   * @default true
   */
  migrate?: boolean;
}

/**
 * The options with their defaults.
 * @throws ScalekitWebhooksConfigurationError when one cannot work
 */
export function resolvePostgresInboxOptions(
  options: PostgresInboxOptions,
): Readonly<Required<PostgresInboxOptions>> {
  const { client, schema = DEFAULT_SCHEMA, retentionMs = DEFAULT_RETENTION_MS, migrate = true } = options;
  if (!isPostgresQueryable(client)) {
    throw new ScalekitWebhooksConfigurationError('client', MESSAGES.notPostgresClient('client'));
  }
  assertSchemaName(schema);
  requirePositiveInteger('retentionMs', retentionMs);
  return Object.freeze({ client, schema, retentionMs, migrate });
}
