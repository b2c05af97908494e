import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Pool } from 'pg';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { aSchemaName, emptyInbox, openDatabase, passTime } from '../helpers/postgres.js';
import { describeWithService } from '../helpers/services.js';
import { describeInboxStore } from './inbox-store.conformance.js';

await describeWithService('postgres', 'on a Postgres database', () => {
  describe.each(['UTF8', 'LATIN1', 'SQL_ASCII'])('with the encoding %s', (encoding) => {
    const schema = aSchemaName();
    let database: { pool: Pool; drop(): Promise<void> };

    beforeAll(async () => {
      database = await openDatabase(encoding);
    });

    afterAll(() => database.drop());

    const harness = async (payloads: 'keep' | 'drop-when-done') => {
      const { pool } = database;
      const dropping = payloads === 'drop-when-done' && { payloads };
      const store = new PostgresInboxStore({ client: pool, application: 'test', schema, ...dropping });
      await store.migrate();
      await emptyInbox(pool, schema);
      return {
        store,
        dropsPayloads: payloads === 'drop-when-done',
        openWith: (options: object) =>
          new PostgresInboxStore({ client: pool, application: 'test', schema, ...dropping, ...options }),
        advance: (ms: number) => passTime(pool, schema, ms),
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
    };

    describeInboxStore('PostgresInboxStore', () => harness('keep'));
    if (encoding === 'UTF8') {
      describeInboxStore('PostgresInboxStore that drops payloads', () => harness('drop-when-done'));
    }
  });
});
