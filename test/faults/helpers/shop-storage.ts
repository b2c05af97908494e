import { Redis } from 'ioredis';
import Database from 'libsql';
import type { InboxStore, ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { type SqliteDatabase, SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { Pool } from 'pg';
import { openerOf } from '../../helpers/libraries.js';
import { SQLITE_DRIVERS } from '../../helpers/sqlite-drivers.js';
import { HOLD_NOWHERE, type Hold } from './hold-points.js';

/** Where a shop keeps its data. It can be passed to another process. */
export type StorageLocation =
  | { readonly kind: 'sqlite'; readonly file: string; readonly driver?: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string; readonly library?: string }
  | { readonly kind: 'pglite'; readonly directory: string; readonly library: string }
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string };

/** An inbox and, if its database has transactions, a table of effects beside it. */
export interface ShopStorage {
  readonly inbox: InboxStore;
  /** Adds an effect of an event in a transaction that also records the run. */
  addEffect?(eventId: string, delivery: ScalekitDelivery): Promise<void>;
  /** How many effects an event has had. */
  effectsOf?(eventId: string): Promise<number>;
  close(): Promise<unknown>;
}

export async function openStorage(
  location: StorageLocation,
  hold: Hold = HOLD_NOWHERE,
): Promise<ShopStorage> {
  if (location.kind === 'sqlite') {
    return location.driver
      ? openSqliteTransactions(location.file, location.driver, hold)
      : openSqliteStorage(location.file, hold);
  }
  if (location.kind === 'pglite') return (await import('./library-storage.js')).openPglite(location, hold);
  if (location.kind === 'postgres') {
    const { url, schema, library } = location;
    if (library === undefined) return openPostgresStorage(url, schema, hold);
    return (await import('./library-storage.js')).openLibrary(url, schema, library, hold);
  }
  const client = new Redis(location.url);
  return {
    inbox: new RedisInboxStore({ client, application: 'shop', keyPrefix: location.prefix }),
    close: () => client.quit(),
  };
}

function openSqliteStorage(file: string, hold: Hold): ShopStorage {
  const database = new Database(file, { timeout: 10_000 });
  const shop = new Database(file, { timeout: 10_000 });
  shop.exec('CREATE TABLE IF NOT EXISTS effects (event_id TEXT)');
  return {
    inbox: new SqliteInboxStore({ database }),
    async addEffect(eventId, delivery) {
      shop.exec('BEGIN IMMEDIATE');
      try {
        shop.prepare('INSERT INTO effects VALUES (?)').run(eventId);
        await delivery.complete(shop);
        await hold('before the commit');
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

/** The effects are on the inbox's own connection. */
function openSqliteTransactions(file: string, driver: string, hold: Hold): ShopStorage {
  const database = openerOf(driver, SQLITE_DRIVERS[driver])(file);
  database.exec('CREATE TABLE IF NOT EXISTS effects (event_id TEXT)');
  const exec = database.exec.bind(database);
  let isRecording = false;
  database.exec = (sql) => {
    if (isRecording && sql === 'COMMIT') void hold('between the record and the commit');
    return exec(sql);
  };
  return {
    inbox: new SqliteInboxStore({ database }),
    addEffect: (eventId, delivery) =>
      delivery.transaction(async (tx: SqliteDatabase) => {
        tx.prepare('INSERT INTO effects VALUES (?)').run(eventId);
        await hold('before the record');
        isRecording = true;
      }),
    async effectsOf(eventId) {
      return database.prepare('SELECT 1 FROM effects WHERE event_id = ?').all(eventId).length;
    },
    async close() {
      database.close();
    },
  };
}

async function openPostgresStorage(url: string, schema: string, hold: Hold): Promise<ShopStorage> {
  const pool = new Pool({ connectionString: url });
  const inbox = new PostgresInboxStore({ client: pool, application: 'shop', schema });
  await inbox.migrate();
  await pool.query(`CREATE TABLE IF NOT EXISTS "${schema}".effects (event_id text)`);
  return {
    inbox,
    async addEffect(eventId, delivery) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query(`INSERT INTO "${schema}".effects VALUES ($1)`, [eventId]);
        await delivery.complete(client);
        await hold('before the commit');
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
