import {
  checkOptions,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requireApplication,
  requireBoolean,
  requireRetentionMs,
} from '../errors/settings.js';
import { DEFAULT_RETENTION_MS, PAYLOAD_RETENTIONS, type PayloadRetention } from '../inbox/inbox-queries.js';
import { MESSAGES } from './postgres.messages.js';
import { DEFAULT_SCHEMA, requireSchemaName } from './postgres.schema.js';
import { isPostgresQueryable, type PostgresQueryable } from './postgres-queryable.js';

/** Options of `PostgresInboxStore`. */
export interface PostgresInboxOptions {
  /**
   * The database client: a `pg` Pool, PGlite, a TypeORM DataSource, `prismaQueryable(prisma)`, `drizzleQueryable(db)` or
   * `kyselyQueryable(db)`. The store never closes it.
   *
   * Give a `pg` Pool timeouts of a few seconds (`connectionTimeoutMillis`, `statement_timeout`, `query_timeout`) and an
   * `error` listener.
   * A connection pooler such as PgBouncer works, because the store keeps nothing in a session. The default isolation
   * level can also be repeatable read or serializable: the store repeats statements that Postgres rolls back.
   */
  client: PostgresQueryable;
  /**
   * The name of your application: 1 to 64 letters, digits, ".", "_" and "-". It is part of every key, so that applications
   * that share the tables keep their events separate. All processes of one application use the same name. Do not change it:
   * under another name, the store does not find the events that it has stored.
   */
  application: string;
  /**
   * The schema that contains the tables: 1 to 63 letters, digits and `_`, not starting with a digit.
   * @default 'scalekit_webhooks'
   */
  schema?: string;
  /**
   * How long to keep an event, in milliseconds. Older events are deleted in the background, at most once an hour. Keep
   * events for longer than Scalekit retries them: 28 hours.
   * @default 2592000000 (30 days)
   */
  retentionMs?: number;
  /**
   * How long to keep an event's payload, and how it was delivered: `'keep'` as long as the event, or `'drop-when-done'` until
   * all of its runs are done. Without its payload, an event cannot be replayed. Dropping takes a statement for each settlement.
   * @default 'keep'
   */
  payloads?: PayloadRetention;
  /**
   * Whether the store creates and updates its tables before it first uses them. Set it to `false` to run the SQL of
   * `postgresSchemaSql()` yourself.
   * @default true
   */
  migrate?: boolean;
  /**
   * Whether each connection prepares the store's statements once, which makes deliveries faster. Only used if `client` is a
   * `pg` Pool. If a pooler between the store and Postgres does not support it, such as PgBouncer in transaction mode without
   * `max_prepared_statements`, the store notices this, logs a warning, and continues without prepared statements.
   * @default true
   */
  preparedStatements?: boolean;
}

const CHECKS: OptionChecks<PostgresInboxOptions> = {
  client: requireClient,
  application: requireApplication,
  schema: optional(requireSchemaName),
  retentionMs: optional(requireRetentionMs),
  payloads: optional(oneOf(PAYLOAD_RETENTIONS)),
  migrate: optional(requireBoolean),
  preparedStatements: optional(requireBoolean),
};

/**
 * Checks the options and fills in the defaults.
 *
 * @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid
 */
export function resolveOptions(options: PostgresInboxOptions): Readonly<Required<PostgresInboxOptions>> {
  const {
    client,
    application,
    schema = DEFAULT_SCHEMA,
    retentionMs = DEFAULT_RETENTION_MS,
    payloads = 'keep',
    migrate = true,
    preparedStatements = true,
  } = checkOptions(options, CHECKS);
  return { client, application, schema, retentionMs, payloads, migrate, preparedStatements };
}

function requireClient(setting: string, value: unknown): void {
  if (!isPostgresQueryable(value)) refuseSetting(setting, MESSAGES.notPostgresClient(setting));
}
