import { afterAll, beforeAll } from '@jest/globals';
import type { Pool } from 'pg';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { aSchemaName, dropSchema, emptyInbox, openPool, passTime } from '../helpers/postgres.js';
import { describeWithService } from '../helpers/services.js';
import { describeInboxStore } from './inbox-store.conformance.js';

await describeWithService('postgres', 'on Postgres', () => {
  const schema = aSchemaName();
  let pool: Pool;

  beforeAll(() => {
    pool = openPool();
  });

  afterAll(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });

  describeInboxStore('PostgresInboxStore', async () => {
    const store = new PostgresInboxStore({ client: pool, schema });
    await store.migrate();
    await emptyInbox(pool, schema);
    return {
      store,
      advance: (ms) => passTime(pool, schema, ms),
      begin: async () => {
        const transaction = await pool.connect();
        await transaction.query('BEGIN');
        const end = async (command: string) => {
          await transaction.query(command);
          transaction.release();
        };
        return { transaction, commit: () => end('COMMIT'), rollback: () => end('ROLLBACK') };
      },
    };
  });
});
