import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { aSchemaName, dropSchema, openPool } from '../helpers/postgres.js';
import { keysBelow } from '../helpers/redis-inbox.js';
import { serviceUrl } from '../helpers/service-url.js';
import { Arena } from './http/arena.js';
import type { LoadReport } from './http/load.js';
import { DURABLE_RECEIVER_NAMES, type DurableReceiverName, type ReceiverName } from './http/receiver.js';
import { median, type RoundOptions, significant, spread, times } from './measure.js';
import type { Figure, SectionResult } from './section.js';

const CONNECTIONS = 32;
const WARM_UP_ROUNDS = 2;
const MIN_ROUNDS = 5;
const MEMORY = 'ours, Nest on Fastify' satisfies ReceiverName;
const BY_HAND = 'by hand, Postgres' satisfies DurableReceiverName;

/** What each of our receivers is compared with. */
const GOALS: readonly { name: DurableReceiverName; to: ReceiverName; atLeast: number }[] = [
  { name: 'ours, Postgres', to: BY_HAND, atLeast: 1.3 },
  { name: 'ours, Postgres, InboxTransport', to: BY_HAND, atLeast: 2 },
  { name: 'ours, SQLite', to: MEMORY, atLeast: 0.5 },
  { name: 'ours, Redis', to: MEMORY, atLeast: 0.75 },
  { name: 'ours, Redis, BullMQ', to: MEMORY, atLeast: 0.5 },
];

/** Deliveries per second over HTTP, with each database, side by side. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const databases = await openDatabases();
  const reports = await measure(options).finally(() => databases.close());
  const perSecond = (name: ReceiverName) =>
    (reports.get(name) ?? []).map(({ requestsPerSecond }) => requestsPerSecond);
  const relative = (name: ReceiverName, to: ReceiverName) => {
    const others = perSecond(to);
    return median(perSecond(name).map((value, round) => value / (others[round] ?? Number.NaN)));
  };
  const figures = GOALS.map(({ name, to, atLeast }): Figure => {
    return { name: `http, ${name}, relative to ${to}`, measured: relative(name, to), atLeast };
  });
  const rows = [...reports].map(([name, ofName]) => [
    name,
    significant(median(perSecond(name))),
    spread(perSecond(name)),
    significant(median(ofName.map(({ p99Ms }) => p99Ms))),
    times(relative(name, BY_HAND)),
    times(relative(name, MEMORY)),
  ]);
  const title = `Databases over HTTP with ${CONNECTIONS} connections, on Fastify`;
  const columns = ['receiver', 'requests/s', 'spread', 'p99 ms', `to ${BY_HAND}`, 'to our memory inbox'];
  return { tables: [{ title, columns, rows }], figures };
}

/** The receivers take turns. */
async function measure({ rounds, roundMs }: RoundOptions): Promise<ReadonlyMap<ReceiverName, LoadReport[]>> {
  const arena = await Arena.open();
  try {
    const receivers = [];
    for (const name of [MEMORY, ...DURABLE_RECEIVER_NAMES] as const) receivers.push(await arena.start(name));
    const load = { connections: CONNECTIONS, requestsPerConnection: roundMs * 5, leavesCpu: true };
    const reports = new Map<ReceiverName, LoadReport[]>(receivers.map(({ name }) => [name, []]));
    const measured = Math.max(MIN_ROUNDS, Math.round(rounds / 4));
    for (let round = -WARM_UP_ROUNDS; round < measured; round += 1) {
      // Backward in every other round, so that no receiver always follows the same one.
      for (const receiver of round % 2 === 0 ? receivers : receivers.toReversed()) {
        const report = await arena.load(receiver, load);
        if (round >= 0) reports.get(receiver.name)?.push(report);
      }
    }
    return reports;
  } finally {
    await arena.close();
  }
}

/** Creates what the receivers share, which they find through the environment. */
async function openDatabases(): Promise<{ close(): Promise<void> }> {
  const name = aSchemaName();
  const directory = mkdtempSync(join(tmpdir(), 'bench-durable-'));
  Object.assign(process.env, { BENCH_NAME: name, BENCH_DIRECTORY: directory });
  const pool = openPool({ max: 1 });
  await pool.query(`CREATE SCHEMA "${name}"`);
  await pool.query(
    `CREATE TABLE "${name}".by_hand (id text PRIMARY KEY, type text, payload bytea, state text NOT NULL)`,
  );
  return {
    async close() {
      await dropSchema(pool, name);
      await pool.end();
      rmSync(directory, { recursive: true, force: true });
      const redis = new Redis(serviceUrl('redis'), { maxRetriesPerRequest: null });
      const queue = new Queue(name, { connection: redis });
      await queue.obliterate({ force: true });
      await queue.close();
      for (const key of await keysBelow(redis, name)) await redis.del(key);
      redis.disconnect();
    },
  };
}
