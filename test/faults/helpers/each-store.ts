import { describe } from '@jest/globals';
import { Redis } from 'ioredis';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool, RecordingClient } from '../../helpers/postgres.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { countRoundTrips } from '../../helpers/redis-round-trips.js';
import { describeWithService } from '../../helpers/services.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';

/** An empty store, which is removed when the test ends. */
export interface OpenStore {
  readonly inbox: InboxStore;
  /** How many round trips the store has made. For SQLite: how many transactions it has begun. */
  roundTrips(): number;
}

/** A `describe` for each durable store. Await it at the top of a spec file. */
export async function describeOnEachStore(
  suite: string,
  body: (open: () => Promise<OpenStore>) => void,
): Promise<void> {
  describe(`On SQLite: ${suite}`, () => body(openOnSqlite));
  await describeOnEachServer(suite, body);
}

/** Like {@link describeOnEachStore}, for the stores that several machines can share. */
export async function describeOnEachServer(
  suite: string,
  body: (open: () => Promise<OpenStore>) => void,
): Promise<void> {
  await describeWithService('postgres', `On Postgres: ${suite}`, () => body(openOnPostgres));
  await describeWithService('redis', `On Redis: ${suite}`, (url) => body(() => openOnRedis(url)));
}

async function openOnSqlite(): Promise<OpenStore> {
  const database = openSqlite(await sqliteFile());
  const exec = database.exec.bind(database);
  let transactions = 0;
  database.exec = (sql) => {
    if (sql.startsWith('BEGIN')) transactions += 1;
    return exec(sql);
  };
  return { inbox: new SqliteInboxStore({ database }), roundTrips: () => transactions };
}

async function openOnPostgres(): Promise<OpenStore> {
  const pool = openPool();
  const schema = aSchemaName();
  cleanUpAfterTest(() => pool.end());
  cleanUpAfterTest(() => dropSchema(pool, schema));
  const client = new RecordingClient(pool);
  return {
    inbox: new PostgresInboxStore({ client, application: 'shop', schema }),
    roundTrips: () => client.statements.length,
  };
}

async function openOnRedis(url: string): Promise<OpenStore> {
  const client = new Redis(url);
  const { store: inbox, dispose } = redisInboxHarness(client);
  cleanUpAfterTest(() => client.quit());
  cleanUpAfterTest(dispose);
  return { inbox, roundTrips: countRoundTrips(client) };
}
