import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { PostgresServer } from '../helpers/postgres-server.js';
import { DURABLE, RedisServer } from '../helpers/redis-server.js';
import type { Outage } from './judge.js';
import { APPLICATION_NAME, type StormMode, usesPostgres, usesRedis } from './storm.settings.js';

const PAUSE_MS = 300;

/** The servers that a mode needs, started for the storm alone. */
export class StormServices {
  readonly outages: Outage[] = [];
  endedConnections = 0;
  /** Resolves when no restart is in progress. */
  restarting: Promise<void> = Promise.resolve();

  private constructor(
    readonly postgres: PostgresServer | undefined,
    readonly redis: RedisServer | undefined,
  ) {}

  static async start(mode: StormMode): Promise<StormServices> {
    const postgres = usesPostgres(mode) ? await PostgresServer.start() : undefined;
    return new StormServices(postgres, usesRedis(mode) ? await RedisServer.start(...DURABLE) : undefined);
  }

  get #servers(): (PostgresServer | RedisServer)[] {
    return [this.postgres, this.redis].filter((server) => server !== undefined);
  }

  /** Crashes each server and starts it again, in the background. */
  restart(): void {
    this.restarting = this.restarting.then(async () => {
      for (const server of this.#servers) {
        const from = Date.now();
        await server.kill();
        await server.launch();
        this.outages.push({ from, to: Date.now() });
        await delay(PAUSE_MS);
      }
    });
  }

  /** Ends a connection of the application to each server that is up, one that it is using if there is one. */
  async endConnections(): Promise<void> {
    const ends = [
      this.postgres && endPostgresConnection(this.postgres.url),
      this.redis && endRedisConnection(this.redis.port),
    ];
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'fulfilled' && end.value) this.endedConnections += 1;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

/** Resolves to whether it has ended one. */
async function endPostgresConnection(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 1000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query(
      `SELECT pg_terminate_backend(pid) FROM (
        SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY state = 'idle', random() LIMIT 1
      ) AS connection`,
      [APPLICATION_NAME],
    );
    return rowCount === 1;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Resolves to whether it has ended one. */
async function endRedisConnection(port: number): Promise<boolean> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await client.connect();
    const connections = String(await client.client('LIST')).split('\n');
    const ids = connections.flatMap((line) =>
      line.includes('cmd=client') ? [] : (/^id=(\d+)/.exec(line)?.[1] ?? []),
    );
    const id = ids[Math.floor(Math.random() * ids.length)];
    return id !== undefined && Number(await client.client('KILL', 'ID', id)) === 1;
  } finally {
    client.disconnect();
  }
}
