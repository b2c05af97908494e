import { InboxTimeoutError, InboxUnusableError } from '../errors/errors.js';
import { describeValue } from '../errors/settings.js';
import { type PostgresFailure, readFailure } from './postgres.connection.js';
import type { ResolvedOptions } from './postgres.options.js';
import { DEFAULT_SCHEMA } from './postgres.schema.js';
import { type PostgresQueryable, type PostgresRow, queryRows } from './postgres-queryable.js';

const OLDEST_VERSION = 120_000;

/** What the statements of the store need of each table. */
const NEEDED = [
  {
    table: 'inbox_events',
    columns:
      'application,seq,endpoint,event_id,type,occurred_at,received_at,payload,delivery,organization_id,entity,erased_at,drops_payload',
    rights: 'SELECT,INSERT',
  },
  {
    table: 'inbox_entities',
    columns: 'application,name,endpoint,handler_id,event_id,lease_token,occurred_at,done_at,admitted_at',
    rights: 'SELECT,INSERT,UPDATE',
  },
  {
    table: 'inbox_keys',
    columns: 'application,endpoint,handler_id,order_key,due_at,event_id,lease_token,version',
    rights: 'SELECT,INSERT,UPDATE',
  },
  {
    table: 'inbox_pauses',
    columns: 'application,endpoint,paused_at',
    rights: '',
  },
  {
    table: 'inbox_recoveries',
    columns: 'application,endpoint,checkpoint,lease_token,lease_ends_at',
    rights: '',
  },
  {
    table: 'inbox_runs',
    columns:
      'application,endpoint,event_id,handler_id,state,attempts,updated_at,lease_token,lease_ends_at,error_name,error_message,due_at,worker_attempts,note,order_key,order_at,seq,erased_at',
    rights: 'SELECT,INSERT,UPDATE',
  },
] as const;

/**
 * Finds what keeps the store from working.
 *
 * @param ready creates or updates the tables, if the store does so
 * @returns whether the store may also delete old events
 * @throws InboxUnusableError with every problem
 * @throws InboxTimeoutError when the database does not respond
 */
export async function pingPostgres(options: ResolvedOptions, ready: () => Promise<void>): Promise<boolean> {
  const notReady = await failureOf(ready());
  const rows = await inspect(options);
  const problems = problemsOf(rows, options, notReady);
  if (problems.length > 0) throw new InboxUnusableError(problems);
  return rows.some((row) => row.table_name === 'inbox_events' && row.may_delete === true);
}

async function failureOf(work: Promise<void>): Promise<PostgresFailure | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof InboxTimeoutError) throw error;
    return readFailure(error);
  }
}

async function inspect({ client, schema, protection }: ResolvedOptions): Promise<PostgresRow[]> {
  try {
    return await queryRows(client, inspectSql(schema, protection.dropsPayloads));
  } catch (error) {
    const failure = readFailure(error);
    // An error without a code is not an answer from a database, and asking again could take as long.
    const version = failure.code === '' ? undefined : await versionOf(client);
    const isOther = version !== undefined && !isPostgres(version);
    throw new InboxUnusableError([isOther ? MESSAGES.notPostgres(version) : MESSAGES.unreachable(failure)]);
  }
}

/**
 * Reads the catalogs, which every role may, about the server, the role and the tables. Returns a row for each table, even if
 * it does not exist. It has no values, because not every database that a client may be connected to writes them as `$1`.
 */
function inspectSql(schema: string, dropsPayloads: boolean): string {
  const needed = NEEDED.map(({ table, columns, rights }) => {
    const toDrop = dropsPayloads && table === 'inbox_events' ? ',UPDATE' : '';
    return `('${table}', '${columns}', '${rights}${toDrop}')`;
  });
  return `
SELECT version() AS version, current_setting('server_version_num')::integer AS version_number,
  pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only') = 'on' AS is_read_only,
  current_user::text AS role, current_database()::text AS database,
  has_schema_privilege(namespace.oid, 'USAGE') AS may_use_schema,
  needed.table_name, relation.oid IS NOT NULL AS is_there,
  array_to_string(ARRAY(
    SELECT needed.table_name || '.' || named FROM unnest(string_to_array(needed.columns, ',')) AS named
    WHERE NOT EXISTS (
      SELECT FROM pg_catalog.pg_attribute WHERE attrelid = relation.oid AND attname = named AND NOT attisdropped
    )
  ), ', ') AS missing_columns,
  array_to_string(ARRAY(
    SELECT named FROM unnest(string_to_array(needed.rights, ',')) AS named
    WHERE NOT has_table_privilege(relation.oid, named)
  ), ', ') AS missing_rights,
  has_table_privilege(relation.oid, 'UPDATE') AND has_table_privilege(relation.oid, 'DELETE') AS may_delete
FROM (VALUES ${needed.join(', ')}) AS needed (table_name, columns, rights)
LEFT JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = '${schema}'
LEFT JOIN pg_catalog.pg_class AS relation
  ON relation.relnamespace = namespace.oid AND relation.relname = needed.table_name
ORDER BY needed.table_name`;
}

/** What the database calls itself: other databases have this function too. */
async function versionOf(client: PostgresQueryable): Promise<string | undefined> {
  try {
    const result: unknown = await client.query('SELECT version() AS version');
    // The clients of MySQL return their rows next to a description of the columns.
    const rows: unknown[] = Array.isArray(result) ? result.flat() : [];
    const versions = rows.map((row) => Reflect.get(Object(row), 'version'));
    return versions.find((version): version is string => typeof version === 'string');
  } catch {
    return undefined;
  }
}

function isPostgres(version: string): boolean {
  return version.startsWith('PostgreSQL ');
}

function problemsOf(
  rows: readonly PostgresRow[],
  options: ResolvedOptions,
  notReady: PostgresFailure | undefined,
): readonly string[] {
  const [server] = rows;
  const version = String(server?.version);
  const role = String(server?.role);
  if (!isPostgres(version)) return [MESSAGES.notPostgres(version)];
  if (Number(server?.version_number) < OLDEST_VERSION) return [MESSAGES.tooOld(version)];
  if (server?.is_standby === true) return [MESSAGES.standby];
  const isReadOnly = server?.is_read_only === true;
  const denied = deniedRights(rows);
  const missing = missingFrom(rows);
  const problems: string[] = [];
  if (isReadOnly) problems.push(MESSAGES.readOnly(role));
  if (denied.length > 0) problems.push(MESSAGES.denied(role, options.schema, denied));
  if (missing.length > 0 && !options.migrate) {
    const hasEvents = rows.some((row) => row.table_name === 'inbox_events' && row.is_there === true);
    problems.push(MESSAGES.tablesMissing(missing, String(server?.database), options, hasEvents));
  }
  // The store creates its tables as soon as nothing else is in the way.
  if (notReady && problems.length === 0) {
    problems.push(MESSAGES.notMigrated(notReady, options, missing.length === 0));
  }
  return problems;
}

function deniedRights(rows: readonly PostgresRow[]): readonly string[] {
  if (rows[0]?.may_use_schema === false) return ['USAGE on the schema'];
  return rows
    .filter((row) => row.is_there === true && row.missing_rights !== '')
    .map((row) => `${row.missing_rights} on ${row.table_name}`);
}

/** The tables that do not exist, and the columns that the others do not have. */
function missingFrom(rows: readonly PostgresRow[]): readonly string[] {
  return rows.flatMap((row) => {
    if (row.is_there !== true) return [String(row.table_name)];
    return row.missing_columns === '' ? [] : [String(row.missing_columns)];
  });
}

/** What to check if the client cannot even connect, by the code of the error. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['28P01', 'Check the user and the password of the client.'],
  ['28000', 'Check the user of the client, its password, and whether the server requires TLS.'],
  ['3D000', 'Create the database, or correct its name in the settings of the client.'],
  ['53300', 'Use a smaller pool, or let the server take more connections.'],
  ['57P03', 'The server is starting or stopping. The inbox works once it is up.'],
]);

function adviceFor({ code, message }: PostgresFailure): string {
  // What pg says about bytes of another protocol.
  if (/unexpected \w+ message|invalid response/.test(message)) {
    return 'The server at this host and port is probably not Postgres but another one, such as MySQL or MariaDB.';
  }
  return ADVICE.get(code) ?? 'Check that it is running, and check the host and the port of the client.';
}

/** What is wrong, then what to do. */
const MESSAGES = {
  notPostgres: (version: string) =>
    `The client is connected to ${describeValue(version.split(' on ')[0])}, which is not Postgres. Connect it to Postgres 12 or later, or use another inbox.`,
  tooOld: (version: string) =>
    `The server is ${describeValue(version.split(' on ')[0])}, but the inbox needs Postgres 12 or later. Update the server.`,
  standby: 'The server is a standby, which only answers reads. Connect the client to the primary.',
  readOnly: (role: string) =>
    `Transactions of the role "${role}" are read-only. Turn default_transaction_read_only off for the role, the database and the client, or use another role.`,
  denied: (role: string, schema: string, denied: readonly string[]) =>
    `The role "${role}" lacks rights: ${denied.join('; ')}. Run: GRANT USAGE ON SCHEMA "${schema}" TO "${role}"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${role}";`,
  tablesMissing: (
    missing: readonly string[],
    database: string,
    options: ResolvedOptions,
    isOutdated: boolean,
  ) =>
    (isOutdated
      ? `The tables of the inbox in the schema "${options.schema}" of the database "${database}" are of an older version: they lack ${missing.join(', ')}.`
      : `What the inbox needs does not exist in the schema "${options.schema}" of the database "${database}": ${missing.join(', ')}.`) +
    ` Run the SQL that ${schemaSqlOf(options)} returns, or leave out migrate: false. If the tables are elsewhere, correct the database or the schema.`,
  notMigrated: ({ message }: PostgresFailure, options: ResolvedOptions, isComplete: boolean) =>
    isComplete
      ? `The inbox could not check the version of its tables: ${message}. They are complete, so you can set migrate: false.`
      : `The inbox could not create or update its tables: ${message}. Run the SQL that ${schemaSqlOf(options)} returns with a role that may create them, and set migrate: false.`,
  unreachable: (failure: PostgresFailure) =>
    `The database cannot be used: ${failure.message}. ${adviceFor(failure)}`,
} as const;

function schemaSqlOf({ application, schema }: ResolvedOptions): string {
  const schemaOption = schema === DEFAULT_SCHEMA ? '' : `, schema: '${schema}'`;
  return `postgresSchemaSql({ application: '${application}'${schemaOption} })`;
}
