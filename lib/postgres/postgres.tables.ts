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
export function isSchemaName(name: unknown): name is string {
  return typeof name === 'string' && /^[a-z_][a-z0-9_]{0,62}$/i.test(name);
}
