import Database from 'libsql';
import type { InboxWorkStore, ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { Pool, type PoolClient } from 'pg';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { aSchemaName, openPool } from '../../helpers/postgres.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { sqliteFile } from '../../helpers/sqlite-files.js';

/** An open database with an inbox, and with effects that handlers commit together with the record of their run. */
export interface OpenDatabase {
  readonly inbox: InboxWorkStore;
  addEffect(eventId: string, delivery: ScalekitDelivery): Promise<void>;
  effects(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** A database that can be backed up, and is deleted when the test ends. */
export interface RestorableDatabase {
  open(): Promise<OpenDatabase>;
  /** Copies it as it is now. Nobody may have it open. */
  backUp(): Promise<RestorableDatabase>;
}

const CREATE_EFFECTS = 'CREATE TABLE IF NOT EXISTS effects (event_id text NOT NULL)';

async function postgresDatabase(template = 'template0'): Promise<RestorableDatabase> {
  const name = aSchemaName();
  const admin = openPool({ max: 1 });
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  cleanUpAfterTest(async () => {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
  const url = new URL(serviceUrl('postgres'));
  url.pathname = name;
  return {
    async open() {
      const pool = new Pool({ connectionString: url.href });
      pool.on('error', () => {});
      const inbox = new PostgresInboxStore({ client: pool, application: 'test' });
      await inbox.migrate();
      await pool.query(CREATE_EFFECTS);
      return {
        inbox,
        addEffect: (eventId, delivery) =>
          delivery.transaction(async (tx: PoolClient) => {
            await tx.query('INSERT INTO effects VALUES ($1)', [eventId]);
          }),
        async effects() {
          const { rows } = await pool.query<{ event_id: string }>('SELECT event_id FROM effects ORDER BY 1');
          return rows.map((row) => row.event_id);
        },
        close: () => pool.end(),
      };
    },
    backUp: () => postgresDatabase(name),
  };
}

async function sqliteDatabase(): Promise<RestorableDatabase> {
  return sqliteDatabaseIn(await sqliteFile());
}

function sqliteDatabaseIn(file: string): RestorableDatabase {
  return {
    async open() {
      const database = new Database(file);
      database.exec(CREATE_EFFECTS);
      return {
        inbox: new SqliteInboxStore({ database }),
        addEffect: (eventId, delivery) =>
          delivery.transaction(async (tx: Database.Database) => {
            tx.prepare('INSERT INTO effects VALUES (?)').run(eventId);
          }),
        async effects() {
          const rows = database.prepare('SELECT event_id FROM effects ORDER BY 1').all();
          return (rows as { event_id: string }[]).map((row) => row.event_id);
        },
        close: async () => void database.close(),
      };
    },
    async backUp() {
      const copy = await sqliteFile();
      const database = new Database(file);
      database.exec(`VACUUM INTO '${copy}'`);
      database.close();
      return sqliteDatabaseIn(copy);
    },
  };
}

/** For `describe.each`: the durable inboxes that workers can take runs from. */
export const RESTORABLE_DATABASES = [
  ['Postgres', postgresDatabase],
  ['SQLite', sqliteDatabase],
] as const;
