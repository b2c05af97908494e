import { Redis } from 'ioredis';
import Database from 'libsql';
import type { InboxStore, ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { Pool, type PoolClient } from 'pg';
import { selectJson } from '../../../lib/sqlite/sqlite-database.js';
import { serviceUrl } from '../../helpers/service-url.js';

export type StorageKind = 'postgres' | 'redis' | 'sqlite';

/** What a handler did for an event, and in which process. */
export interface Effect {
  readonly eventId: string;
  readonly pid: string;
}

/** An inbox, and the effects of handlers beside it. */
export interface RecoveryStorage {
  readonly inbox: InboxStore;
  /** With Postgres and SQLite, the effect and the record of the run are one transaction. */
  addEffect(eventId: string, pid: string, delivery: ScalekitDelivery): Promise<void>;
  /** In their order. */
  effects(): Promise<readonly Effect[]>;
  /** Lets the lease of a process that was killed end. */
  endLease(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** @param name a schema, a file or a prefix, by the kind */
export async function openRecoveryStorage(kind: StorageKind, name: string): Promise<RecoveryStorage> {
  if (kind === 'postgres') return openPostgres(name);
  return kind === 'sqlite' ? openSqlite(name) : openRedis(name);
}

async function openPostgres(schema: string): Promise<RecoveryStorage> {
  const pool = new Pool({ connectionString: serviceUrl('postgres') });
  pool.on('error', () => {});
  const inbox = new PostgresInboxStore({ client: pool, application: 'test', schema });
  await inbox.migrate();
  await pool.query(
    `CREATE TABLE IF NOT EXISTS "${schema}".effects (position serial, event_id text, pid text)`,
  );
  return {
    inbox,
    addEffect: (eventId, pid, delivery) =>
      delivery.transaction(async (tx: PoolClient) => {
        await tx.query(`INSERT INTO "${schema}".effects (event_id, pid) VALUES ($1, $2)`, [eventId, pid]);
      }),
    async effects() {
      const select = `SELECT event_id AS "eventId", pid FROM "${schema}".effects ORDER BY position`;
      return (await pool.query<Effect>(select)).rows;
    },
    endLease: () => pool.query(`UPDATE "${schema}".inbox_recoveries SET lease_ends_at = now()`),
    close: () => pool.end(),
  };
}

async function openSqlite(file: string): Promise<RecoveryStorage> {
  const database = new Database(file, { timeout: 10_000 });
  database.exec(
    'CREATE TABLE IF NOT EXISTS effects (position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT, pid TEXT)',
  );
  const inbox = new SqliteInboxStore({ database, busyTimeoutMs: 20_000 });
  await inbox.ping();
  return {
    inbox,
    addEffect: (eventId, pid, delivery) =>
      delivery.transaction(async (tx: Database.Database) => {
        tx.prepare('INSERT INTO effects (event_id, pid) VALUES (?, ?)').run(eventId, pid);
      }),
    async effects() {
      const object = "json_object('eventId', event_id, 'pid', pid)";
      return selectJson<Effect>(database, `SELECT ${object} AS json FROM effects ORDER BY position`);
    },
    async endLease() {
      database.exec('UPDATE scalekit_webhooks_recoveries SET lease_ends_at = 0');
    },
    async close() {
      database.close();
    },
  };
}

async function openRedis(keyPrefix: string): Promise<RecoveryStorage> {
  const client = new Redis(serviceUrl('redis'));
  const effects = `${keyPrefix}:effects`;
  return {
    inbox: new RedisInboxStore({ client, application: 'test', keyPrefix }),
    addEffect: async (eventId, pid) => void (await client.rpush(effects, JSON.stringify({ eventId, pid }))),
    effects: async () => (await client.lrange(effects, 0, -1)).map((json) => JSON.parse(json)),
    endLease: () => client.hset(`${keyPrefix}:{test:recovery:default}`, 'endsAt', 0),
    close: () => client.quit(),
  };
}
