/** A row as a client gives it: values by column name. */
export type PostgresRow = Record<string, unknown>;

/**
 * What the store needs of a Postgres client. A `pg` Pool, Client or PoolClient, PGlite and its transactions, a TypeORM
 * DataSource, EntityManager or QueryRunner have it as they are; for Prisma there is {@link prismaQueryable}. With `pg`,
 * {@link preparedQueryable} saves Postgres time.
 */
export interface PostgresQueryable {
  /** Resolves to the rows, or to an object that holds them. */
  query(text: string, values?: unknown[]): Promise<{ rows: PostgresRow[] } | PostgresRow[]>;
}

/** Whether it can be asked. */
export function isPostgresQueryable(value: unknown): value is PostgresQueryable {
  return typeof value === 'object' && value !== null && 'query' in value && typeof value.query === 'function';
}

/** The rows that a statement gives. */
export async function queryRows(
  client: PostgresQueryable,
  text: string,
  values: unknown[] = [],
): Promise<PostgresRow[]> {
  const result = await client.query(text, values);
  return Array.isArray(result) ? result : result.rows;
}
