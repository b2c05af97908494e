import { PGlite } from '@electric-sql/pglite';
import BetterSqlite from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Redis } from 'ioredis';
import { Kysely, PostgresDialect } from 'kysely';
import Libsql from 'libsql';
import { drizzleQueryable, kyselyQueryable, PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { Client, Pool } from 'pg';
import { DataSource } from 'typeorm';

const application = 'shop';

/** The inboxes accept the clients of all supported libraries without a cast. */
export function createStores() {
  const pool = new Pool();
  return [
    new PostgresInboxStore({ client: pool, application }),
    new PostgresInboxStore({ client: new Client(), application }),
    new PostgresInboxStore({ client: new PGlite(), application }),
    new PostgresInboxStore({ client: new DataSource({ type: 'postgres' }), application }),
    new PostgresInboxStore({ client: drizzleQueryable(drizzle(pool)), application }),
    new PostgresInboxStore({
      client: kyselyQueryable(new Kysely<object>({ dialect: new PostgresDialect({ pool }) })),
      application,
    }),
    new RedisInboxStore({ client: new Redis(), application }),
    new SqliteInboxStore({ database: new Libsql('inbox.db') }),
    new SqliteInboxStore({ database: new BetterSqlite('inbox.db') }),
  ];
}
