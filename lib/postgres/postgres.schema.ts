import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { MESSAGES } from './postgres.messages.js';

/** The names of the ledger's tables, quoted for SQL. */
export interface PostgresTables {
  /** The versions that the other tables have been brought to. */
  readonly migrations: string;
  readonly events: string;
  /** One row for each handler of an event. */
  readonly runs: string;
}

/** `schema` has to be a name that {@link isSchemaName} allows. */
export function postgresTables(schema: string): PostgresTables {
  return {
    migrations: `"${schema}"."inbox_migrations"`,
    events: `"${schema}"."inbox_events"`,
    runs: `"${schema}"."inbox_runs"`,
  };
}

/** Whether it may stand between quotes in SQL, and Postgres does not cut it. */
function isSchemaName(name: unknown): name is string {
  return typeof name === 'string' && /^[a-z_][a-z0-9_]{0,62}$/i.test(name);
}

/** Where the ledger lives unless told otherwise. */
export const DEFAULT_SCHEMA = 'scalekit_webhooks';

/** Each takes the tables from the version that is its index to the next. Published ones are never changed. */
const MIGRATIONS: readonly ((tables: PostgresTables) => string)[] = [
  // Keys are compared byte by byte: faster, and the same order on every server, which locks rely on.
  ({ events, runs }) => `
    CREATE TABLE ${events} (
      seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      endpoint text COLLATE "C" NOT NULL,
      event_id text COLLATE "C" NOT NULL,
      type text NOT NULL,
      occurred_at text NOT NULL,
      received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      payload bytea NOT NULL,
      PRIMARY KEY (endpoint, event_id)
    );
    CREATE INDEX inbox_events_by_age ON ${events} (received_at);
    CREATE TABLE ${runs} (
      endpoint text COLLATE "C" NOT NULL,
      event_id text COLLATE "C" NOT NULL,
      handler_id text COLLATE "C" NOT NULL,
      state text NOT NULL CHECK (state IN ('running', 'queued', 'done', 'failed', 'dead')),
      attempts integer NOT NULL,
      updated_at timestamptz NOT NULL,
      lease_token text,
      lease_ends_at timestamptz,
      error_name text,
      error_message text,
      PRIMARY KEY (endpoint, event_id, handler_id),
      FOREIGN KEY (endpoint, event_id) REFERENCES ${events} ON DELETE CASCADE
    );
    CREATE INDEX inbox_runs_not_done ON ${runs} (state) WHERE state <> 'done';`,
];

/**
 * The SQL that makes the ledger's tables, or brings older ones up to date: for those who run migrations themselves and
 * give the store `migrate: false`. One statement, the same that the store runs: safe to repeat, and safe when several run
 * it at once. It needs the right to create the schema only where there is none.
 *
 * @param schema the schema of the tables; default `'scalekit_webhooks'`
 * @throws ScalekitWebhooksConfigurationError when the name cannot be a schema's
 */
export function postgresSchemaSql(schema: string = DEFAULT_SCHEMA): string {
  assertSchemaName(schema);
  const tables = postgresTables(schema);
  return `DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('nestjs-scalekit-webhooks/${schema}', 0));
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '${schema}') THEN
    CREATE SCHEMA "${schema}";
  END IF;
  IF to_regclass('${tables.migrations}') IS NULL THEN
    CREATE TABLE ${tables.migrations} (
      version integer PRIMARY KEY,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
  END IF;
${MIGRATIONS.map((migration, index) => stepSql(tables, index + 1, migration(tables))).join('\n')}
END
$migration$;
`;
}

/** @throws ScalekitWebhooksConfigurationError when the name cannot be a schema's */
export function assertSchemaName(schema: string): void {
  if (!isSchemaName(schema)) {
    throw new ScalekitWebhooksConfigurationError('schema', MESSAGES.schemaNameInvalid(schema));
  }
}

function stepSql({ migrations }: PostgresTables, version: number, sql: string): string {
  return `  IF NOT EXISTS (SELECT FROM ${migrations} WHERE version = ${version}) THEN${sql}
    INSERT INTO ${migrations} (version) VALUES (${version});
  END IF;`;
}
