import { Redis } from 'ioredis';
import Database from 'libsql';
import type { InboxStore, InboxTransaction } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { Pool } from 'pg';

/** Where a shop keeps its data. It can be passed to another process. */
export type StorageLocation =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string }
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string };

/** An inbox and, if its database has transactions, a table of effects beside it. */
export interface ShopStorage {
  readonly inbox: InboxStore;
  /** Adds an effect of an event in a transaction. Calls `complete` before the commit. */
  addEffect?(eventId: string, complete: (transaction: InboxTransaction) => Promise<void>): Promise<void>;
  /** How many effects an event has had. */
  effectsOf?(eventId: string): Promise<number>;
  close(): Promise<unknown>;
}

export async function openStorage(location: StorageLocation): Promise<ShopStorage> {
  if (location.kind === 'sqlite') return openSqliteStorage(location.file);
  if (location.kind === 'postgres') return openPostgresStorage(location.url, location.schema);
  const client = new Redis(location.url);
  return {
    inbox: new RedisInboxStore({ client, keyPrefix: location.prefix }),
    close: () => client.quit(),
  };
}

function openSqliteStorage(file: string): ShopStorage {
  const database = new Database(file, { timeout: 10_000 });
  const shop = new Database(file, { timeout: 10_000 });
  shop.exec('CREATE TABLE IF NOT EXISTS effects (event_id TEXT)');
  return {
    inbox: new SqliteInboxStore({ database }),
    async addEffect(eventId, complete) {
      shop.exec('BEGIN IMMEDIATE');
      try {
        shop.prepare('INSERT INTO effects VALUES (?)').run(eventId);
        await complete(shop);
        shop.exec('COMMIT');
      } catch (error) {
        shop.exec('ROLLBACK');
        throw error;
      }
    },
    async effectsOf(eventId) {
      return shop.prepare('SELECT 1 FROM effects WHERE event_id = ?').all(eventId).length;
    },
    async close() {
      shop.close();
      database.close();
    },
  };
}

async function openPostgresStorage(url: string, schema: string): Promise<ShopStorage> {
  const pool = new Pool({ connectionString: url });
  const inbox = new PostgresInboxStore({ client: pool, schema });
  await inbox.migrate();
  await pool.query(`CREATE TABLE IF NOT EXISTS "${schema}".effects (event_id text)`);
  return {
    inbox,
    async addEffect(eventId, complete) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query(`INSERT INTO "${schema}".effects VALUES ($1)`, [eventId]);
        await complete(client);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },
    async effectsOf(eventId) {
      const { rowCount } = await pool.query(`SELECT FROM "${schema}".effects WHERE event_id = $1`, [eventId]);
      return rowCount ?? 0;
    },
    close: () => pool.end(),
  };
}
