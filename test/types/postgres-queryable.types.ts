import type { PGlite, Transaction } from '@electric-sql/pglite';
import type { Client, Pool, PoolClient } from 'pg';
import { PostgresInboxStore, type PostgresQueryable } from '../../lib/postgres/index.js';

// `tsc` checks this file. It never runs.

declare const pool: Pool;
declare const client: Client;
declare const poolClient: PoolClient;
declare const pglite: PGlite;
declare const pgliteTransaction: Transaction;
/** The method of TypeORM's DataSource, EntityManager and QueryRunner. */
declare const typeOrm: { query<T = unknown>(query: string, parameters?: unknown[]): Promise<T> };

export const queryables: PostgresQueryable[] = [pool, client, poolClient, pglite, pgliteTransaction];

export const stores = [
  new PostgresInboxStore({ client: pool, application: 'test' }),
  new PostgresInboxStore({ client: pglite, application: 'test' }),
  new PostgresInboxStore({ client: typeOrm, application: 'test' }),
  // @ts-expect-error the client is required
  new PostgresInboxStore({}),
  // @ts-expect-error this is not a client
  new PostgresInboxStore({ client: { query: 'SELECT 1' } }),
];
