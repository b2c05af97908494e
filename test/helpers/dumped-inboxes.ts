import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { EventTransport, InboxStore } from 'nestjs-scalekit-webhooks';
import { BullMqTransport, type BullMqTransportOptions } from 'nestjs-scalekit-webhooks/bullmq';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import type { PayloadOptions } from '../../lib/inbox/inbox-options.js';
import type { PostgresQueryable } from '../../lib/postgres/postgres-queryable.js';
import { cleanUpAfterTest } from './cleanup.js';
import { type Dump, postgresDump, redisDump, sqliteDump } from './dumps.js';
import { aSchemaName, dropSchema, openPool } from './postgres.js';
import { serviceUrl } from './service-url.js';
import { openSqlite, sqliteFile } from './sqlite-files.js';

/** A store, and everything that it and the queue hold. */
export interface DumpedInbox {
  readonly inbox: InboxStore;
  readonly dump: Dump;
  readonly transport?: EventTransport;
  /** Opens the same inbox once more, as another process would, by default with the same options. */
  reopen(options?: PayloadOptions): InboxStore;
}

/** @param around stands between the store that is opened first and the pool */
export async function openPostgres(
  options: PayloadOptions = {},
  around: (pool: PostgresQueryable) => PostgresQueryable = (pool) => pool,
): Promise<DumpedInbox> {
  const [pool, schema] = [openPool(), aSchemaName()];
  cleanUpAfterTest(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });
  const open = (client: PostgresQueryable, others = options) =>
    new PostgresInboxStore({ client, application: 'test', schema, ...others });
  const reopen = (others = options) => open(pool, others);
  return { inbox: open(around(pool)), dump: postgresDump(pool, schema), reopen };
}

export async function openSqliteInbox(options: PayloadOptions = {}): Promise<DumpedInbox> {
  const file = await sqliteFile();
  const reopen = (others = options) => new SqliteInboxStore({ database: openSqlite(file), ...others });
  return { inbox: reopen(), dump: sqliteDump(openSqlite(file)), reopen };
}

export async function openRedis(options: PayloadOptions = {}): Promise<DumpedInbox> {
  const client = new Redis(serviceUrl('redis'));
  const keyPrefix = `test:${randomUUID()}`;
  cleanUpAfterTest(async () => {
    await client.del(await client.keys(`${keyPrefix}*`));
    await client.quit();
  });
  const reopen = (others = options) =>
    new RedisInboxStore({ client, application: 'test', keyPrefix, ...others });
  return { inbox: reopen(), dump: redisDump(client, keyPrefix), reopen };
}

/** With jobs below the same prefix, so that they are part of the dump. */
export async function openBullMq(
  options: PayloadOptions = {},
  transport: Omit<BullMqTransportOptions, 'queue'> = {},
): Promise<DumpedInbox> {
  const connection = { url: serviceUrl('redis') };
  const client = new Redis(connection.url);
  const keyPrefix = `test:${randomUUID()}`;
  const queue = new Queue('scalekit', { connection, prefix: `${keyPrefix}:jobs` });
  cleanUpAfterTest(async () => {
    await queue.close();
    await client.del(await client.keys(`${keyPrefix}*`));
    await client.quit();
  });
  const reopen = (others = options) =>
    new RedisInboxStore({ client, application: 'test', keyPrefix, ...others });
  return {
    inbox: reopen(),
    dump: redisDump(client, keyPrefix),
    transport: new BullMqTransport({ queue, attempts: 1, ...transport }),
    reopen,
  };
}
