import { type EventTransport, type InboxStore, InboxTransport } from 'nestjs-scalekit-webhooks';
import type { TransactionalEffects } from './effects.js';
import { FAILING_SETTLEMENTS, type Faults, withFailingScripts } from './faults.js';
import {
  APPLICATION_NAME,
  type AppSettings,
  HANDLER_TIMEOUT_MS,
  usesPostgres,
  usesQueue,
  usesSqlite,
  worksFromInbox,
} from './storm.settings.js';

/** The inbox of a mode and, if its database has transactions, the effects beside it. */
export interface StormInbox {
  readonly inbox: InboxStore;
  readonly effects?: TransactionalEffects;
  /** Creates what the database needs, once for all processes. */
  prepare(): Promise<void>;
  close(): Promise<void>;
}

const STATEMENT_TIMEOUT_MS = 2000;

/** Half of the processes already write with the new key, and all read both. */
function payloadOptions() {
  const keys = ['old', 'new'].map((id) => ({ id, secret: Buffer.alloc(32, id).toString('base64') }));
  return {
    payloads: 'encrypt',
    encryption: { keys: process.pid % 2 === 0 ? keys : keys.reverse() },
  } as const;
}

/**
 * Each mode loads only the packages that it needs, because a process starts every second.
 *
 * @param faults makes the database fail, in the processes of the application
 */
export function openInbox(
  { mode, postgresUrl, redisPort, sqliteFile }: AppSettings,
  faults?: Faults,
): Promise<StormInbox> {
  if (usesPostgres(mode)) return onPostgres(postgresUrl, faults);
  return usesSqlite(mode) ? onSqlite(sqliteFile, faults) : onRedis(redisPort, faults);
}

/**
 * For the modes in which handlers do not run in the request.
 *
 * @param isWorker whether the process works on the inbox; with a queue, each of them does
 */
export async function openTransport(
  { mode, redisPort }: AppSettings,
  isWorker: boolean,
): Promise<EventTransport | undefined> {
  if (usesQueue(mode)) return onQueue(redisPort);
  if (!worksFromInbox(mode)) return undefined;
  return new InboxTransport({
    worker: isWorker,
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
    // More than the storm can use up: a dead run would be a fault.
    attempts: 1000,
    backoff: 200,
    handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    // Short, so that another process soon takes over the jobs of a killed one.
    worker: { concurrency: 10, lockDuration: 3000, stalledInterval: 1000 },
  });
}

async function onPostgres(connectionString: string, faults?: Faults): Promise<StormInbox> {
  const { default: pg } = await import('pg');
  const { PostgresInboxStore } = await import('nestjs-scalekit-webhooks/postgres');
  const { PostgresEffects } = await import('./effects.postgres.js');
  const openPool = () => {
    const pool = new pg.Pool({
      connectionString,
      application_name: faults && APPLICATION_NAME,
      max: 5,
      connectionTimeoutMillis: 1000,
      statement_timeout: STATEMENT_TIMEOUT_MS,
    });
    pool.on('error', () => {});
    faults?.watch(pool);
    return pool;
  };
  const pool = openPool();
  const inbox = new PostgresInboxStore({ client: pool, application: 'test', ...payloadOptions() });
  const effects = new PostgresEffects(openPool());
  const prepare = async () => {
    await inbox.migrate();
    await effects.prepare();
    await pool.query(FAILING_SETTLEMENTS);
  };
  const close = async () => {
    await effects.close();
    await pool.end();
  };
  return { inbox, effects, prepare, close };
}

async function onSqlite(file: string, faults?: Faults): Promise<StormInbox> {
  const { StormDatabase } = await import('./faults.sqlite.js');
  const { SqliteInboxStore } = await import('nestjs-scalekit-webhooks/sqlite');
  const { SqliteEffects } = await import('./effects.sqlite.js');
  const database = new StormDatabase(file, faults);
  const effects = new SqliteEffects(new StormDatabase(file, faults));
  const close = async () => {
    await effects.close();
    database.close();
  };
  const inbox = new SqliteInboxStore({ database, ...payloadOptions() });
  return { inbox, effects, prepare: () => effects.prepare(), close };
}

async function onRedis(port: number, faults?: Faults): Promise<StormInbox> {
  const { Redis } = await import('ioredis');
  const { RedisInboxStore } = await import('nestjs-scalekit-webhooks/redis');
  const redis = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 1, commandTimeout: 2000 });
  redis.on('error', () => {});
  const client = faults ? withFailingScripts(redis, faults) : redis;
  const inbox = new RedisInboxStore({ client, application: 'test', ...payloadOptions() });
  return { inbox, prepare: async () => {}, close: async () => redis.disconnect() };
}
