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
