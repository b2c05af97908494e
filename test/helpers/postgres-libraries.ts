import { PGlite, type Transaction as PgliteTransaction } from '@electric-sql/pglite';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle as drizzlePg, type NodePgTransaction } from 'drizzle-orm/node-postgres';
import {
  type PgliteTransaction as DrizzlePgliteTransaction,
  drizzle as drizzlePglite,
} from 'drizzle-orm/pglite';
import { CamelCasePlugin, Kysely, sql as kyselySql, PostgresDialect, type Transaction } from 'kysely';
import {
  drizzleQueryable,
  kyselyQueryable,
  type PostgresQueryable,
  type PrismaLike,
  prismaQueryable,
} from 'nestjs-scalekit-webhooks/postgres';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { type FoundLibrary, findLibrary } from './libraries.js';

/** The store's client of a database library, and how a handler uses a transaction of this library. */
export interface OpenLibrary<Tx = never> {
  readonly client: PostgresQueryable;
  /** Runs a statement in the transaction that `delivery.transaction` gives to the handler. */
  run(tx: Tx, statement: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** For the pool of a library. */
type LibraryConfig = PoolConfig & { connectionString: string };

/** Opens a library on the Postgres server. */
type Open = (config: LibraryConfig) => Promise<OpenLibrary>;

/** The real one, with the client that `npm run install:libraries` generates. */
export const PRISMA: FoundLibrary<Open> = findLibrary('Prisma', (require) => {
  const { PrismaClient } = require('@prisma/client') as { PrismaClient: new (options: object) => Prisma };
  const { PrismaPg } = require('@prisma/adapter-pg') as { PrismaPg: new (config: PoolConfig) => object };
  return async (config) => {
    const prisma = new PrismaClient({ adapter: new PrismaPg(config) });
    return {
      client: prismaQueryable(prisma),
      run: (tx: Prisma, statement) => Promise.resolve(tx.$queryRawUnsafe(statement)),
      close: () => prisma.$disconnect(),
    };
  };
});

/** Libraries on a Postgres server. */
export const SERVER_LIBRARIES: Readonly<Record<string, FoundLibrary<Open>>> = {
  pg: { open: async (config) => onPool(config) },
  TypeORM: { open: openTypeOrm },
  Drizzle: { open: openDrizzle },
  Kysely: { open: openKysely },

  Prisma: PRISMA,
};

/** The part of a generated PrismaClient that the tests use. */
interface Prisma extends PrismaLike {
  $disconnect(): Promise<void>;
}

/** Libraries on a PGlite, which runs in this process. */
export const PGLITE_LIBRARIES: Readonly<Record<string, (database: PGlite) => OpenLibrary>> = {
  PGlite: (database) => ({
    client: database,
    run: (tx: PgliteTransaction, statement) => tx.query(statement),
    close: async () => {},
  }),
  'Drizzle on PGlite': (database) => ({
    client: drizzleQueryable(drizzlePglite(database)),
    run: (tx: DrizzlePgliteTransaction<Record<string, never>, Record<string, never>>, statement) =>
      tx.execute(drizzleSql.raw(statement)),
    close: async () => {},
  }),
};

async function openTypeOrm({ connectionString: url, ...extra }: LibraryConfig): Promise<OpenLibrary> {
  const dataSource = await new DataSource({ type: 'postgres', url, extra, logging: false }).initialize();
  return {
    client: dataSource,
    run: (manager: EntityManager, statement) => manager.query(statement),
    close: () => dataSource.destroy(),
  };
}

async function openDrizzle(config: LibraryConfig): Promise<OpenLibrary> {
  const pool = openPool(config);
  return {
    client: drizzleQueryable(drizzlePg(pool)),
    run: (tx: NodePgTransaction<Record<string, never>, Record<string, never>>, statement) =>
      tx.execute(drizzleSql.raw(statement)),
    close: () => pool.end(),
  };
}

async function openKysely(config: LibraryConfig): Promise<OpenLibrary> {
  const dialect = new PostgresDialect({ pool: openPool(config) });
  const db = new Kysely<Record<string, never>>({ dialect, plugins: [new CamelCasePlugin()] });
  return {
    client: kyselyQueryable(db),
    run: (trx: Transaction<Record<string, never>>, statement) => kyselySql.raw(statement).execute(trx),
    close: () => db.destroy(),
  };
}

/** Drizzle and Kysely leave it to the application to listen for errors of the connections that they use. */
function openPool(config: PoolConfig): Pool {
  const pool = new Pool(config);
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** The store listens for the errors of a client while it has it, and the pool's owner for those of the others. */
function onPool(config: PoolConfig): OpenLibrary<PoolClient> {
  const pool = new Pool(config);
  pool.on('error', () => {});
  return {
    client: pool,
    run: (client, statement) => client.query(statement),
    close: () => pool.end(),
  };
}
