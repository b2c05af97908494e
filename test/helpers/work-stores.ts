import type { InboxWorkStore } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { cleanUpAfterTest } from './cleanup.js';
import { aSchemaName, dropSchema, openPool, passTime } from './postgres.js';
import { openSqlite, sqliteFile } from './sqlite-files.js';

/** An inbox in a database of its own, which is removed when the test ends. */
export interface WorkDatabase {
  /** Opens a store, as another process would. */
  open(): InboxWorkStore;
  /** Moves everything that is due or leased into the past, as if time had passed. */
  passTime(ms: number): Promise<void>;
  /** How another process opens it: the kind of database, and the name of its schema or file. */
  readonly arguments: readonly string[];
}

async function postgresDatabase(): Promise<WorkDatabase> {
  const schema = aSchemaName();
  const pool = openPool();
  cleanUpAfterTest(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });
  const open = () => new PostgresInboxStore({ client: pool, application: 'test', schema });
  await open().migrate();
  return { open, passTime: (ms) => passTime(pool, schema, ms), arguments: ['postgres', schema] };
}

async function sqliteDatabase(): Promise<WorkDatabase> {
  const file = await sqliteFile();
  const open = () => new SqliteInboxStore({ database: openSqlite(file) });
  await open().ping();
  return {
    open,
    async passTime(ms) {
      const database = openSqlite(file);
      database.exec('PRAGMA busy_timeout = 5000');
      database.exec(
        `UPDATE scalekit_webhooks_handlers SET due_at = due_at - ${ms}, lease_ends_at = lease_ends_at - ${ms}`,
      );
      database.exec(`UPDATE scalekit_webhooks_keys SET due_at = due_at - ${ms}`);
    },
    arguments: ['sqlite', file],
  };
}

/** For `describe.each`: the durable inboxes that workers can take runs from. */
export const WORK_DATABASES = [
  ['Postgres', postgresDatabase],
  ['SQLite', sqliteDatabase],
] as const;
