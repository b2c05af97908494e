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
  preparedQueryable,
  prismaQueryable,
} from 'nestjs-scalekit-webhooks/postgres';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';

/** The store's client of a database library, and how a handler uses a transaction of this library. */
export interface OpenLibrary<Tx = never> {
  readonly client: PostgresQueryable;
  /** Runs a statement in the transaction that `delivery.transaction` gives to the handler. */
  run(tx: Tx, statement: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Opens a library on the Postgres server. `config` is for its pool. */
type Open = (config: PoolConfig & { connectionString: string }) => Promise<OpenLibrary>;

/** Libraries on a Postgres server. */
export const SERVER_LIBRARIES: Readonly<Record<string, Open>> = {
  pg: async (config) => onPool(config, (pool) => pool),
  'pg with prepared statements': async (config) => onPool(config, preparedQueryable),

  async TypeORM({ connectionString: url, ...extra }) {
    const dataSource = await new DataSource({ type: 'postgres', url, extra, logging: false }).initialize();
    return {
      client: dataSource,
      run: (manager: EntityManager, statement) => manager.query(statement),
      close: () => dataSource.destroy(),
    };
  },

  async Drizzle(config) {
    const pool = openPool(config);
    return {
      client: drizzleQueryable(drizzlePg(pool)),
      run: (tx: NodePgTransaction<Record<string, never>, Record<string, never>>, statement) =>
        tx.execute(drizzleSql.raw(statement)),
      close: () => pool.end(),
    };
  },

  async Kysely(config) {
    const dialect = new PostgresDialect({ pool: openPool(config) });
    const db = new Kysely<Record<string, never>>({ dialect, plugins: [new CamelCasePlugin()] });
    return {
      client: kyselyQueryable(db),
      run: (trx: Transaction<Record<string, never>>, statement) => kyselySql.raw(statement).execute(trx),
      close: () => db.destroy(),
    };
  },

  /** Prisma's engine cannot be installed here. This is a client with the same methods, on `pg`. */
  async Prisma(config) {
    const pool = openPool(config);
    return {
      client: prismaQueryable(prismaOn(pool)),
      run: (tx: PrismaLike, statement) => Promise.resolve(tx.$queryRawUnsafe(statement)),
      close: () => pool.end(),
    };
  },
};

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

/** Drizzle and Kysely leave it to the application to listen for errors of the connections that they use. */
function openPool(config: PoolConfig): Pool {
  const pool = new Pool(config);
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** The store listens for the errors of a client while it has it, and the pool's owner for those of the others. */
function onPool(config: PoolConfig, toClient: (pool: Pool) => PostgresQueryable): OpenLibrary<PoolClient> {
  const pool = new Pool(config);
  pool.on('error', () => {});
  return {
    client: toClient(pool),
    run: (client, statement) => client.query(statement),
    close: () => pool.end(),
  };
}

function prismaOn(pool: Pool): PrismaLike {
  return {
    $queryRawUnsafe: async (text, ...values) => (await pool.query(text, values)).rows,
    async $transaction(work) {
      const client = await pool.connect();
      let isClosed = false;
      try {
        await client.query('BEGIN');
        const result = await work({
          async $queryRawUnsafe(text, ...values) {
            if (isClosed) throw new Error('Transaction already closed');
            return (await client.query(text, values)).rows;
          },
        });
        isClosed = true;
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {});
        throw error;
      } finally {
        isClosed = true;
        client.release();
      }
    },
  };
}
