import { type EventTransport, type InboxStore, InboxTransport } from 'nestjs-scalekit-webhooks';
import type { TransactionalEffects } from './effects.js';
import {
  type AppSettings,
  HANDLER_TIMEOUT_MS,
  usesPostgres,
  usesQueue,
  usesSqlite,
  worksFromInbox,
} from './storm.settings.js';

/** The inbox of a mode and, if its database has transactions, the effects beside it. */
interface StormInbox {
  readonly inbox: InboxStore;
  readonly effects?: TransactionalEffects;
  close(): Promise<void>;
}

const STATEMENT_TIMEOUT_MS = 2000;

// Each mode loads only the packages that it needs, because a process starts every second.
export function openInbox({ mode, postgresUrl, redisPort, sqliteFile }: AppSettings): Promise<StormInbox> {
  if (usesPostgres(mode)) return onPostgres(postgresUrl);
  return usesSqlite(mode) ? onSqlite(sqliteFile) : onRedis(redisPort);
}

/** For the modes in which handlers do not run in the request. */
export async function openTransport({ mode, redisPort }: AppSettings): Promise<EventTransport | undefined> {
  if (usesQueue(mode)) return onQueue(redisPort);
  if (!worksFromInbox(mode)) return undefined;
  return new InboxTransport({
    // More than the storm can use up: a dead run would be a fault.
    attempts: 1000,
    backoff: 200,
    handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    pollIntervalMs: 200,
  });
}

async function onQueue(port: number): Promise<EventTransport> {
  const { Queue } = await import('bullmq');
  const { BullMqTransport } = await import('nestjs-scalekit-webhooks/bullmq');
  const queue = new Queue('storm', { connection: { host: '127.0.0.1', port } });
  queue.on('error', () => {});
  return new BullMqTransport({
    queue,
    attempts: 20,
    backoff: 200,
    handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    // Short, so that another process soon takes over the jobs of a killed one.
    worker: { concurrency: 5, lockDuration: 3000, stalledInterval: 1000 },
  });
}

async function onPostgres(connectionString: string): Promise<StormInbox> {
  const { default: pg } = await import('pg');
  const { PostgresInboxStore } = await import('nestjs-scalekit-webhooks/postgres');
  const { PostgresEffects } = await import('./effects.postgres.js');
  const pool = new pg.Pool({
    connectionString,
    max: 8,
    connectionTimeoutMillis: 1000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  pool.on('error', () => {});
  const inbox = new PostgresInboxStore({ client: pool, application: 'test' });
  return { inbox, effects: new PostgresEffects(pool), close: () => pool.end() };
}

async function onSqlite(file: string): Promise<StormInbox> {
  const { default: Database } = await import('libsql');
  const { SqliteInboxStore } = await import('nestjs-scalekit-webhooks/sqlite');
  const { SqliteEffects } = await import('./effects.sqlite.js');
  const database = new Database(file);
  const effects = new SqliteEffects(file);
  const close = async () => {
    await effects.close();
    database.close();
  };
  return { inbox: new SqliteInboxStore({ database }), effects, close };
}

async function onRedis(port: number): Promise<StormInbox> {
  const { Redis } = await import('ioredis');
  const { RedisInboxStore } = await import('nestjs-scalekit-webhooks/redis');
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 1, commandTimeout: 2000 });
  client.on('error', () => {});
  const close = async () => client.disconnect();
  return { inbox: new RedisInboxStore({ client, application: 'test' }), close };
}
