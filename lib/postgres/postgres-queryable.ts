import { createHash } from 'node:crypto';

/** A row that the client returned: values by column name. */
export type PostgresRow = Record<string, unknown>;

/**
 * The part of a Postgres client that the store uses. These fit as they are: a `pg` Pool, Client or PoolClient; PGlite and
 * its transactions; a TypeORM DataSource, EntityManager or QueryRunner. Wrap Prisma in {@link prismaQueryable}. With `pg`,
 * {@link preparedQueryable} makes deliveries faster.
 */
export interface PostgresQueryable {
  /** Resolves to the rows, or to an object that has them. */
  query(text: string, values?: unknown[]): Promise<{ rows: PostgresRow[] } | PostgresRow[]>;
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

/** A `pg` Pool, Client or PoolClient. */
export interface PgLike {
  query(statement: {
    readonly name?: string;
    readonly text: string;
    readonly values: unknown[];
  }): Promise<{ rows: PostgresRow[] }>;
}

/**
 * Lets each connection of a `pg` client prepare the store's statements once, which makes a delivery at least a third
 * faster. Do not use it behind a pooler that does not support prepared statements, such as PgBouncer in transaction
 * mode without `max_prepared_statements`.
 *
 * @example
 * new PostgresInboxStore({ client: preparedQueryable(pool), application: 'billing' });
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
      // The migration has no values, and Postgres cannot prepare it.
      client.query(values.length === 0 ? { text, values } : { name: nameOf(text), text, values }),
  };
}

/** A `PrismaClient`, or the client that `prisma.$transaction` passes to its callback. */
export interface PrismaLike {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
}

/**
 * Makes a Prisma client usable as the store's client, and a Prisma transaction usable for `delivery.complete`.
 *
 * @example
 * new PostgresInboxStore({ client: prismaQueryable(prisma), application: 'billing' });
 *
 * // In a handler:
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
