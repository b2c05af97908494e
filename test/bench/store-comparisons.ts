import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import Database from 'libsql';
import { BullMqTransport } from '../../lib/bullmq/index.js';
import type { ScalekitWebhooksOptions } from '../../lib/index.js';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { SqliteInboxStore } from '../../lib/sqlite/index.js';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { redisInboxHarness } from '../helpers/redis-inbox.js';
import { serviceUrl } from '../helpers/service-url.js';

/** One of our inboxes, and the fewest writes that would do the same without it, on the same connection. */
export interface StoreComparison {
  readonly name: string;
  readonly bareName: string;
  readonly hasGoals?: boolean;
  /** The options of an application that uses the inbox. */
  open(): Promise<ScalekitWebhooksOptions>;
  writeBare(payload: Buffer): Promise<unknown>;
  /** Call it after the application is closed. */
  close(): Promise<void>;
}

export const COMPARISONS: readonly (() => StoreComparison)[] = [
  compareSqlite,
  () => comparePostgres({ isPrepared: false }),
  () => comparePostgres({ isPrepared: true }),
  compareRedis,
  compareBullMq,
];

function compareSqlite(): StoreComparison {
  const directory = mkdtempSync(join(tmpdir(), 'bench-sqlite-'));
  const database = new Database(join(directory, 'inbox.db'));
  let written = 0;
  return {
    name: 'SQLite',
    bareName: 'two bare statements in WAL',
    async open() {
      const inbox = new SqliteInboxStore({ database });
      // The first use of the inbox configures the connection, also for the bare statements.
      await inbox.ping();
      database.exec('CREATE TABLE bare (id TEXT PRIMARY KEY, payload BLOB, state TEXT NOT NULL)');
      return { inbox };
    },
    async writeBare(payload) {
      written += 1;
      const id = `evt_${written}`;
      database.prepare("INSERT INTO bare VALUES (?, ?, 'running')").run(id, payload);
      database.prepare("UPDATE bare SET state = 'done' WHERE id = ?").run(id);
    },
    async close() {
      database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Both sides prepare their statements, or neither does. */
function comparePostgres({ isPrepared }: { readonly isPrepared: boolean }): StoreComparison {
  const pool = openPool({ max: 1 });
  const schema = aSchemaName();
  const query = (name: string, text: string, values: unknown[]) =>
    pool.query(isPrepared ? { name, text, values } : { text, values });
  let written = 0;
  return {
    name: isPrepared ? 'Postgres, prepared' : 'Postgres',
    bareName: isPrepared ? 'two bare statements, prepared' : 'two bare statements',
    hasGoals: true,
    async open() {
      const inbox = new PostgresInboxStore({
        client: pool,
        application: 'test',
        schema,
        preparedStatements: isPrepared,
      });
      await inbox.migrate();
      await pool.query(
        `CREATE TABLE "${schema}".bare (id text PRIMARY KEY, payload bytea, state text NOT NULL)`,
      );
      return { inbox };
    },
    async writeBare(payload) {
      written += 1;
      const id = `evt_${written}`;
      await query('insert', `INSERT INTO "${schema}".bare VALUES ($1, $2, 'running')`, [id, payload]);
      await query('update', `UPDATE "${schema}".bare SET state = 'done' WHERE id = $1`, [id]);
    },
    async close() {
      await dropSchema(pool, schema);
      await pool.end();
    },
  };
}

function compareRedis(): StoreComparison {
  const client = new Redis(serviceUrl('redis'));
  const harness = redisInboxHarness(client);
  let written = 0;
  return {
    name: 'Redis',
    bareName: 'two bare HSET',
    async open() {
      return { inbox: harness.store };
    },
    async writeBare(payload) {
      written += 1;
      const key = `${harness.keyPrefix}:bare:${written}`;
      await client.hset(key, { payload, state: 'running' });
      await client.hset(key, 'state', 'done');
    },
    async close() {
      await harness.dispose();
      await client.quit();
    },
  };
}

function compareBullMq(): StoreComparison {
  const client = new Redis(serviceUrl('redis'), { maxRetriesPerRequest: null });
  const harness = redisInboxHarness(client);
  const queue = new Queue(`bench-${randomUUID()}`, { connection: client });
  return {
    name: 'BullMQ, Redis inbox',
    bareName: 'a bare queue.add',
    async open() {
      return { inbox: harness.store, transport: new BullMqTransport({ queue, worker: false }) };
    },
    async writeBare(payload) {
      await queue.add('bare', { body: payload.toString() });
    },
    async close() {
      await queue.obliterate({ force: true });
      await queue.close();
      await harness.dispose();
      client.disconnect();
    },
  };
}
