import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import type { PayloadOptions } from '../../lib/inbox/inbox-options.js';
import { cleanUpAfterTest } from './cleanup.js';
import { type Dump, postgresDump, redisDump } from './dumps.js';
import { aSchemaName, dropSchema, openPool } from './postgres.js';
import { redisInboxHarness } from './redis-inbox.js';
import { serviceUrl } from './service-url.js';
import { openSqlite, sqliteFile } from './sqlite-files.js';

/** A durable inbox whose raw contents a test can read. It is removed when the test ends. */
export interface PayloadDatabase {
  /** Opens a store, as another process would. */
  open(options?: PayloadOptions): InboxStore;
  /** Everything that the database contains, as text. */
  readonly dump: Dump;
  /** Copies what is stored of one event over what is stored of another. */
  copy(fromEventId: string, toEventId: string): Promise<void>;
  /** How the command line opens it. */
  readonly cli: readonly string[];
}

async function postgresDatabase(): Promise<PayloadDatabase> {
  const schema = aSchemaName();
  const pool = openPool();
  cleanUpAfterTest(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });
  const open = (options: PayloadOptions = {}) =>
    new PostgresInboxStore({ client: pool, application: 'test', schema, ...options });
  await open().migrate();
  return {
    open,
    dump: postgresDump(pool, schema),
    async copy(from, to) {
      await pool.query(
        `UPDATE "${schema}".inbox_events AS other SET payload = event.payload, delivery = event.delivery
          FROM "${schema}".inbox_events AS event WHERE event.event_id = $1 AND other.event_id = $2`,
        [from, to],
      );
    },
    cli: ['--store', serviceUrl('postgres'), '--application', 'test', '--schema', schema],
  };
}

async function sqliteDatabase(): Promise<PayloadDatabase> {
  const file = await sqliteFile();
  const database = openSqlite(file);
  await new SqliteInboxStore({ database }).ping();
  return {
    open: (options = {}) => new SqliteInboxStore({ database: openSqlite(file), ...options }),
    async dump() {
      const files = await Promise.all([file, `${file}-wal`].map((path) => readFile(path, 'latin1')));
      return files.join('');
    },
    async copy(from, to) {
      const number = (id: string) => `(SELECT number FROM scalekit_webhooks_events WHERE event_id = '${id}')`;
      database.exec('PRAGMA busy_timeout = 5000');
      database.exec(
        `UPDATE scalekit_webhooks_payloads SET (payload, delivery) =
          (SELECT payload, delivery FROM scalekit_webhooks_payloads WHERE event_number = ${number(from)})
          WHERE event_number = ${number(to)}`,
      );
    },
    cli: ['--store', `sqlite:${file}`],
  };
}

async function redisDatabase(): Promise<PayloadDatabase> {
  const client = new Redis(serviceUrl('redis'));
  const { keyPrefix, keys, dispose } = redisInboxHarness(client);
  cleanUpAfterTest(async () => {
    await dispose();
    await client.quit();
  });
  const payloadOf = async (id: string) =>
    (await keys()).find((key) => key.endsWith(`payload:default:${id}`)) ?? '';
  return {
    open: (options = {}) => new RedisInboxStore({ client, application: 'test', keyPrefix, ...options }),
    dump: redisDump(client, keyPrefix),
    async copy(from, to) {
      await client.set(await payloadOf(to), (await client.getBuffer(await payloadOf(from))) ?? '');
    },
    cli: ['--store', serviceUrl('redis'), '--application', 'test', '--prefix', keyPrefix],
  };
}

/** For `describe.each`: the durable inboxes. */
export const PAYLOAD_DATABASES = [
  ['Postgres', postgresDatabase],
  ['SQLite', sqliteDatabase],
  ['Redis', redisDatabase],
] as const;
