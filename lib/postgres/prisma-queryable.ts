import type { PostgresQueryable, PostgresRow } from './postgres-queryable.js';

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
