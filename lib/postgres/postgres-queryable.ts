import { createHash } from 'node:crypto';

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

/** What is needed of a `pg` Pool, Client or PoolClient. */
export interface PgLike {
  query(statement: {
    readonly name?: string;
    readonly text: string;
    readonly values: unknown[];
  }): Promise<{ rows: PostgresRow[] }>;
}

/**
 * A `pg` client whose connections prepare each of the store's statements once: a delivery then takes at least a third less.
 * Not for a pooler that gives one session to several clients and knows no prepared statements, such as PgBouncer in
 * transaction mode without `max_prepared_statements`.
 *
 * @example
 * new PostgresInboxStore({ client: preparedQueryable(pool) });
 */
export function preparedQueryable(client: PgLike): PostgresQueryable {
  const names = new Map<string, string>();
  const nameOf = (text: string): string => {
    const known = names.get(text);
    if (known !== undefined) return known;
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    names.set(text, name);
    return name;
  };
  return {
    query: (text, values = []) =>
      // Without values it may be several statements, as those that make the tables, which cannot be prepared.
      client.query(values.length === 0 ? { text, values } : { name: nameOf(text), text, values }),
  };
}

/** What is needed of a `PrismaClient`, or of the client inside `prisma.$transaction`. */
export interface PrismaLike {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
}

/**
 * Prisma as the store takes it.
 *
 * @example
 * new PostgresInboxStore({ client: prismaQueryable(prisma) });
 * // in a handler
 * await prisma.$transaction(async (tx) => {
 *   await tx.seat.update(…);
 *   await delivery.complete(prismaQueryable(tx));
 * });
 */
export function prismaQueryable(prisma: PrismaLike): PostgresQueryable {
  return {
    async query(text, values = []): Promise<PostgresRow[]> {
      const rows = await prisma.$queryRawUnsafe(text, ...values);
      return Array.isArray(rows) ? rows : [];
    },
  };
}
