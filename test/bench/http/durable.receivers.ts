import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import Database from 'libsql';
import { Pool } from 'pg';
import type { ScalekitWebhooksOptions } from '../../../lib/index.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { dispatchByHand, startFastify } from './other.receivers.js';
import { startOn } from './our.receivers.js';
import type { Receiver } from './receiver.js';

/** What the receivers share with the process that starts them, which creates and removes it. */
const { BENCH_NAME = 'bench', BENCH_DIRECTORY = '.' } = process.env;

/** As many connections as pg opens by default. */
function openPool(): Pool {
  return new Pool({ connectionString: serviceUrl('postgres') });
}

export const startPostgresByHand: Receiver = () => startByHand(false);
export const startPreparedByHand: Receiver = () => startByHand(true);

/** Records each event in one statement, handles it if it is new, and records in another one that it is done. */
async function startByHand(isPrepared: boolean) {
  const pool = openPool();
  const query = (name: string, text: string, values: unknown[]) =>
    pool.query(isPrepared ? { name, text, values } : { text, values });
  const table = `"${BENCH_NAME}".by_hand`;
  return startFastify(async (event, payload) => {
    const { rowCount } = await query(
      'record',
      `INSERT INTO ${table} (id, type, payload, state) VALUES ($1, $2, $3, 'running') ON CONFLICT DO NOTHING`,
      [event.id, event.type, payload],
    );
    if (rowCount === 0) return;
    await dispatchByHand(event);
    await query('done', `UPDATE ${table} SET state = 'done' WHERE id = $1`, [event.id]);
  });
}

export const startPostgres = startOurs(postgresOptions);

export const startPostgresWork = startOurs(async (library) => {
  const { InboxTransport }: typeof import('../../../lib/index.js') = await import(library);
  return { ...(await postgresOptions(library)), transport: new InboxTransport({ worker: false }) };
});

export const startSqlite = startOurs(async (library) => {
  const { SqliteInboxStore }: typeof import('../../../lib/sqlite/index.js') = await import(
    `${library}/sqlite`
  );
  return { inbox: new SqliteInboxStore({ database: new Database(`${BENCH_DIRECTORY}/inbox.db`) }) };
});

export const startRedis = startOurs(redisOptions);

export const startBullMq = startOurs(async (library) => {
  const { BullMqTransport }: typeof import('../../../lib/bullmq/index.js') = await import(
    `${library}/bullmq`
  );
  const connection = new Redis(serviceUrl('redis'), { maxRetriesPerRequest: null });
  const queue = new Queue(BENCH_NAME, { connection });
  return { ...(await redisOptions(library)), transport: new BullMqTransport({ queue, worker: false }) };
});

function startOurs(options: (library: string) => Promise<ScalekitWebhooksOptions>): Receiver {
  return startOn(() => new FastifyAdapter(), options);
}

async function postgresOptions(library: string): Promise<ScalekitWebhooksOptions> {
  const { PostgresInboxStore }: typeof import('../../../lib/postgres/index.js') = await import(
    `${library}/postgres`
  );
  return { inbox: new PostgresInboxStore({ client: openPool(), application: 'bench', schema: BENCH_NAME }) };
}

async function redisOptions(library: string): Promise<ScalekitWebhooksOptions> {
  const { RedisInboxStore }: typeof import('../../../lib/redis/index.js') = await import(`${library}/redis`);
  const client = new Redis(serviceUrl('redis'));
  return { inbox: new RedisInboxStore({ client, application: 'bench', keyPrefix: BENCH_NAME }) };
}
