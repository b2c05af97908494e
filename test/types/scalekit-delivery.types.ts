import type { PGlite, Transaction as PgliteTransaction } from '@electric-sql/pglite';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type { Kysely, Transaction as KyselyTransaction } from 'kysely';
import type Database from 'libsql';
import { type InboxTransaction, MemoryInboxStore, type ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import {
  drizzleQueryable,
  kyselyQueryable,
  PostgresInboxStore,
  type PrismaLike,
  prismaQueryable,
} from 'nestjs-scalekit-webhooks/postgres';
import type { SqliteDatabase } from 'nestjs-scalekit-webhooks/sqlite';
import type { PoolClient } from 'pg';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';

// `tsc` checks this file. It never runs.

declare const delivery: ScalekitDelivery;
declare const pglite: PGlite;
declare const poolClient: PoolClient;
declare const pgliteTransaction: PgliteTransaction;
declare const entityManager: EntityManager;
declare const queryRunner: QueryRunner;
declare const dataSource: DataSource;
declare const drizzle: PgDatabase<PgQueryResultHKT, Record<string, never>>;
declare const kysely: Kysely<{ seats: { used: number } }>;
declare const kyselyTransaction: KyselyTransaction<{ seats: { used: number } }>;
declare const libsql: Database.Database;
declare const sqlite: SqliteDatabase;
/** The signatures of a PrismaClient, without its models. */
declare const prisma: PrismaClient;

interface PrismaClient {
  $queryRawUnsafe<T = unknown>(
    query: string,
    ...values: unknown[]
  ): Promise<T> & { requestTransaction?(): void };
  $transaction<P extends Promise<unknown>[]>(
    arg: [...P],
    options?: { isolationLevel?: string },
  ): Promise<unknown[]>;
  $transaction<R>(
    fn: (prisma: Omit<PrismaClient, '$transaction'>) => Promise<R>,
    options?: { maxWait?: number; timeout?: number },
  ): Promise<R>;
}

export const transactions: InboxTransaction[] = [
  poolClient,
  pgliteTransaction,
  entityManager,
  queryRunner,
  libsql,
  sqlite,
  prismaQueryable(prisma),
  drizzleQueryable(drizzle),
  kyselyQueryable(kyselyTransaction),
];

export const clients = [
  new PostgresInboxStore({ application: 'test', client: dataSource }),
  new PostgresInboxStore({ application: 'test', client: pglite }),
  new PostgresInboxStore({ application: 'test', client: prismaQueryable(prisma) }),
  new PostgresInboxStore({ application: 'test', client: drizzleQueryable(drizzle) }),
  new PostgresInboxStore({ application: 'test', client: kyselyQueryable(kysely) }),
];

export const memory = [
  new MemoryInboxStore({ transaction: (work) => dataSource.transaction(work) }),
  new MemoryInboxStore({ transaction: (work) => pglite.transaction(work) }),
  new MemoryInboxStore({ transaction: (work) => kysely.transaction().execute(work) }),
  new MemoryInboxStore({ transaction: (work) => drizzle.transaction(work) }),
  new MemoryInboxStore({ transaction: (work) => prisma.$transaction(work) }),
];

export async function handlers(): Promise<void> {
  await delivery.transaction(async (client: PoolClient) => {
    await client.query('SELECT 1');
  });
  await delivery.transaction<EntityManager>(async (manager) => {
    await manager.query('SELECT 1');
  });
  const used: number = await delivery.transaction(async (_manager: EntityManager) => 1);
  const { transaction } = delivery;
  await transaction(async () => used);
  // @ts-expect-error the type of the transaction must be declared
  await delivery.transaction(async (client) => client.query('SELECT 1'));
  // @ts-expect-error the work must be asynchronous, or its changes could come after the commit
  await delivery.transaction((client: PoolClient) => client.release());

  await delivery.complete(poolClient);
  // @ts-expect-error a name is not a transaction
  await delivery.complete('tx');
  // @ts-expect-error the transaction is required
  await delivery.complete(undefined);
  // @ts-expect-error the transaction is required
  await delivery.complete(null);
  // @ts-expect-error the transaction is required
  await delivery.complete();
  // @ts-expect-error this has no method that could run a statement
  await delivery.complete({});
  // @ts-expect-error Kysely's transaction needs its adapter
  await delivery.complete(kyselyTransaction);
}

export const like: PrismaLike = prisma;
