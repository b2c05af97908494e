import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { checkOptions, type OptionChecks, optional, requireApplication } from '../errors/settings.js';
import { MESSAGES } from './postgres.messages.js';

export const DEFAULT_SCHEMA = 'scalekit_webhooks';

/** Options of {@link postgresSchemaSql}. Pass the same values as to the store. */
export interface PostgresSchemaOptions {
  /** The name of your application. Events that were stored before version 0.1.0 are assigned to it. */
  application: string;
  /**
   * The schema that contains the tables.
   * @default 'scalekit_webhooks'
   */
  schema?: string;
}

const CHECKS: OptionChecks<PostgresSchemaOptions> = {
  application: requireApplication,
  schema: optional(requireSchemaName),
};

/**
 * Returns the SQL that creates the inbox's tables, or updates existing ones. Use it with `migrate: false`, in your own
 * migrations. It is the single statement that the store would run: you can repeat it, and several processes can run it at
 * once. It needs the right to create a schema only if the schema does not exist.
 *
 * Applications that share a schema share its tables, so run it for one of them. Which one matters only if the tables
 * already contain events from before version 0.1.0.
 *
 * @example
 * await pool.query(postgresSchemaSql({ application: 'billing' }));
 *
 * @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid
 */
export function postgresSchemaSql(options: PostgresSchemaOptions): string {
  const { application, schema = DEFAULT_SCHEMA } = checkOptions(options, CHECKS);
  const tables = postgresTables(schema, application);
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
${MIGRATIONS.map((migration, index) => migrationSql(tables, index + 1, migration(tables))).join('\n')}
END
$migration$;
`;
}

function migrationSql({ migrations }: PostgresTables, version: number, sql: string): string {
  return `  IF NOT EXISTS (SELECT FROM ${migrations} WHERE version = ${version}) THEN${sql}
    INSERT INTO ${migrations} (version) VALUES (${version});
  END IF;`;
}

/** Each migration takes the tables to the next version. Never change one that was published. */
const MIGRATIONS: readonly ((tables: PostgresTables) => string)[] = [
  // The "C" collation gives keys the same order on every server. Statements rely on it: they lock rows in key order.
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
  // Events that are already stored are assigned to the application whose store runs this first.
  ({ schema, events, runs, application }) => `
    LOCK TABLE ${events}, ${runs} IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE ${runs} DROP CONSTRAINT inbox_runs_endpoint_event_id_fkey, DROP CONSTRAINT inbox_runs_pkey;
    ALTER TABLE ${events} DROP CONSTRAINT inbox_events_pkey, DROP CONSTRAINT inbox_events_seq_key;
    ALTER TABLE ${events} ADD COLUMN application text COLLATE "C" NOT NULL DEFAULT ${application};
    ALTER TABLE ${runs} ADD COLUMN application text COLLATE "C" NOT NULL DEFAULT ${application};
    ALTER TABLE ${events} ALTER COLUMN application DROP DEFAULT,
      ADD PRIMARY KEY (application, endpoint, event_id);
    ALTER TABLE ${runs} ALTER COLUMN application DROP DEFAULT,
      ADD PRIMARY KEY (application, endpoint, event_id, handler_id),
      ADD FOREIGN KEY (application, endpoint, event_id) REFERENCES ${events} ON DELETE CASCADE;
    DROP INDEX ${schema}.inbox_events_by_age, ${schema}.inbox_runs_not_done;
    CREATE UNIQUE INDEX inbox_events_by_seq ON ${events} (application, seq);
    CREATE INDEX inbox_events_by_age ON ${events} (application, received_at);
    CREATE INDEX inbox_runs_not_done ON ${runs} (application, state) WHERE state <> 'done';`,
  // Only runs that workers have are due, so runs that deliveries execute do not pay for the index.
  ({ events, runs, pauses }) => `
    ALTER TABLE ${events} ADD COLUMN delivery text;
    ALTER TABLE ${runs} ADD COLUMN due_at timestamptz, ADD COLUMN worker_attempts integer NOT NULL DEFAULT 0;
    CREATE INDEX inbox_runs_due ON ${runs} (application, endpoint, handler_id, due_at) WHERE due_at IS NOT NULL;
    CREATE TABLE ${pauses} (
      application text COLLATE "C" NOT NULL,
      endpoint text COLLATE "C" NOT NULL,
      paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      PRIMARY KEY (application, endpoint)
    );`,
  // Runs with a place are found by their keys, however many of them wait.
  ({ schema, runs, entities, keys }) => `
    ALTER TABLE ${runs} ADD COLUMN note text, ADD COLUMN order_key text COLLATE "C", ADD COLUMN order_at double precision;
    DROP INDEX ${schema}.inbox_runs_due;
    CREATE INDEX inbox_runs_due ON ${runs} (application, endpoint, handler_id, due_at)
      WHERE due_at IS NOT NULL AND order_key IS NULL;
    CREATE INDEX inbox_runs_by_place ON ${runs} (application, endpoint, handler_id, order_key, order_at, event_id)
      WHERE due_at IS NOT NULL AND order_key IS NOT NULL;
    CREATE TABLE ${keys} (
      application text COLLATE "C" NOT NULL,
      endpoint text COLLATE "C" NOT NULL,
      handler_id text COLLATE "C" NOT NULL,
      order_key text COLLATE "C" NOT NULL,
      due_at timestamptz NOT NULL,
      event_id text COLLATE "C",
      lease_token text,
      version bigint NOT NULL DEFAULT 0,
      PRIMARY KEY (application, endpoint, handler_id, order_key)
    );
    CREATE INDEX inbox_keys_due ON ${keys} (application, endpoint, handler_id, due_at);
    CREATE TABLE ${entities} (
      application text COLLATE "C" NOT NULL,
      name text COLLATE "C" NOT NULL,
      endpoint text COLLATE "C" NOT NULL,
      handler_id text COLLATE "C" NOT NULL,
      event_id text COLLATE "C" NOT NULL,
      lease_token text NOT NULL,
      occurred_at double precision NOT NULL,
      done_at double precision,
      admitted_at timestamptz NOT NULL,
      PRIMARY KEY (application, name)
    );
    CREATE INDEX inbox_entities_by_age ON ${entities} (application, admitted_at);`,
  ({ recoveries }) => `
    CREATE TABLE ${recoveries} (
      application text COLLATE "C" NOT NULL,
      endpoint text COLLATE "C" NOT NULL,
      checkpoint timestamptz,
      lease_token text NOT NULL,
      lease_ends_at timestamptz NOT NULL,
      PRIMARY KEY (application, endpoint)
    );`,
  // Each filter has an index that returns entries in the order of receipt. Runs repeat the number of their event for that.
  // All have conditions, so that only statements that repeat them use them: before Postgres knows how large a table is, it
  // may look a key up in any index that begins with the application.
  ({ schema, events, runs }) => `
    ALTER TABLE ${events} ADD COLUMN organization_id text COLLATE "C", ADD COLUMN entity text COLLATE "C";
    DROP INDEX ${schema}.inbox_events_by_seq, ${schema}.inbox_events_by_age;
    CREATE UNIQUE INDEX inbox_events_by_seq ON ${events} (application, seq) WHERE seq > 0;
    CREATE INDEX inbox_events_by_age ON ${events} (application, received_at) WHERE received_at > '-infinity';
    CREATE INDEX inbox_events_by_type ON ${events} (application, type, seq) WHERE seq > 0;
    CREATE INDEX inbox_events_by_organization ON ${events} (application, organization_id, seq)
      WHERE organization_id IS NOT NULL;
    CREATE INDEX inbox_events_by_entity ON ${events} (application, entity, seq) WHERE entity IS NOT NULL;
    ALTER TABLE ${runs} ADD COLUMN seq bigint;
    UPDATE ${runs} AS run SET seq = event.seq FROM ${events} AS event
      WHERE event.application = run.application AND event.endpoint = run.endpoint AND event.event_id = run.event_id;
    ALTER TABLE ${runs} ALTER COLUMN seq SET NOT NULL;
    DROP INDEX ${schema}.inbox_runs_not_done;
    CREATE INDEX inbox_runs_not_done ON ${runs} (application, state, seq, handler_id) WHERE state <> 'done';
    CREATE INDEX inbox_runs_by_handler ON ${runs} (application, handler_id, seq) WHERE seq > 0;
    CREATE INDEX inbox_runs_with_error ON ${runs} (application, seq) WHERE error_name IS NOT NULL;`,
  // A payload that was erased or dropped is NULL. Only entries that drop theirs are in the index, until they have.
  ({ events, runs }) => `
    ALTER TABLE ${events} ALTER COLUMN payload DROP NOT NULL,
      ADD COLUMN erased_at timestamptz, ADD COLUMN drops_payload boolean;
    CREATE INDEX inbox_events_to_drop ON ${events} (application, seq) WHERE drops_payload;
    ALTER TABLE ${runs} ADD COLUMN erased_at timestamptz;`,
];

/** The names of the tables and of the store's application, quoted for SQL. */
export interface PostgresTables {
  readonly schema: string;
  readonly application: string;
  /** The migrations that were applied. */
  readonly migrations: string;
  readonly events: string;
  readonly runs: string;
  /** The endpoints whose workers are paused. */
  readonly pauses: string;
  /** Which run of a handler has an entity. */
  readonly entities: string;
  /** The order keys that have runs. Each is due when its first run may be, and has the run that was taken last. */
  readonly keys: string;
  /** How far the recovery of each endpoint has come, and which process is doing it. */
  readonly recoveries: string;
}

/** Both names become part of SQL, so check them with {@link requireSchemaName} and `requireApplication`. */
export function postgresTables(schema: string, application: string): PostgresTables {
  return {
    schema: `"${schema}"`,
    application: `'${application}'`,
    migrations: `"${schema}"."inbox_migrations"`,
    events: `"${schema}"."inbox_events"`,
    runs: `"${schema}"."inbox_runs"`,
    pauses: `"${schema}"."inbox_pauses"`,
    entities: `"${schema}"."inbox_entities"`,
    keys: `"${schema}"."inbox_keys"`,
    recoveries: `"${schema}"."inbox_recoveries"`,
  };
}

/** @throws ScalekitWebhooksConfigurationError when the name is invalid */
export function requireSchemaName(setting: string, schema: unknown): void {
  // Postgres cuts longer names off. These characters are safe between quotes.
  if (typeof schema === 'string' && /^[a-z_][a-z0-9_]{0,62}$/i.test(schema)) return;
  throw new ScalekitWebhooksConfigurationError(setting, MESSAGES.schemaNameInvalid(schema));
}
