import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import Database from 'libsql';
import pg from 'pg';
import { postgresDump, redisDump } from '../helpers/dumps.js';
import { PostgresServer } from '../helpers/postgres-server.js';
import { DURABLE, RedisServer } from '../helpers/redis-server.js';
import type { Outage } from './judge.js';
import { APPLICATION_NAME, type StormMode, usesPostgres, usesRedis, usesSqlite } from './storm.settings.js';

const PAUSE_MS = 300;
// Longer than a delivery waits for the inbox.
const SQLITE_OUTAGE_MS = 2500;

/** The servers that a mode needs, started for the storm alone. */
export class StormServices {
  readonly outages: Outage[] = [];
  endedConnections = 0;
  /** Resolves when no restart is in progress. */
  restarting: Promise<void> = Promise.resolve();

  private constructor(
    readonly postgres: PostgresServer | undefined,
    readonly redis: RedisServer | undefined,
    private readonly sqliteFile: string | undefined,
  ) {}

  static async start(mode: StormMode, sqliteFile: string): Promise<StormServices> {
    const postgres = usesPostgres(mode) ? await PostgresServer.start() : undefined;
    const redis = usesRedis(mode) ? await RedisServer.start(...DURABLE) : undefined;
    return new StormServices(postgres, redis, usesSqlite(mode) ? sqliteFile : undefined);
  }

  get #servers(): (PostgresServer | RedisServer)[] {
    return [this.postgres, this.redis].filter((server) => server !== undefined);
  }

  /** Crashes each server and starts it again, in the background. SQLite has no server: it is locked for a while. */
  restart(): void {
    this.restarting = this.restarting.then(async () => {
      for (const server of this.#servers) {
        const from = Date.now();
        await server.kill();
        await server.launch();
        this.outages.push({ from, to: Date.now() });
        await delay(PAUSE_MS);
      }
      if (this.sqliteFile === undefined) return;
      this.outages.push(await lockSqlite(this.sqliteFile));
      await delay(PAUSE_MS);
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

  /** Everything that the databases and the queue hold, as text. */
  async dump(): Promise<string> {
    const dumps: string[] = [];
    if (this.postgres) {
      const pool = new pg.Pool({ connectionString: this.postgres.url });
      dumps.push(await postgresDump(pool, 'scalekit_webhooks')().finally(() => pool.end()));
    }
    if (this.redis) {
      const client = new Redis({ host: '127.0.0.1', port: this.redis.port });
      dumps.push(await redisDump(client, '')().finally(() => client.disconnect()));
    }
    if (this.sqliteFile !== undefined) {
      const files = [this.sqliteFile, `${this.sqliteFile}-wal`].filter((file) => existsSync(file));
      dumps.push(...files.map((file) => readFileSync(file, 'latin1')));
    }
    return dumps.join('');
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

/** Keeps everybody from writing to a SQLite file, as a long transaction of another process does. */
async function lockSqlite(file: string): Promise<Outage> {
  const database = new Database(file);
  try {
    database.exec('PRAGMA busy_timeout = 0');
    while (!begins(database)) await delay(1);
    const from = Date.now();
    await delay(SQLITE_OUTAGE_MS);
    database.exec('ROLLBACK');
    return { from, to: Date.now() };
  } finally {
    database.close();
  }
}

function begins(database: Database.Database): boolean {
  try {
    database.exec('BEGIN IMMEDIATE');
    return true;
  } catch {
    return false;
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
