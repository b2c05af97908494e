import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import {
  PostgresInboxStore,
  type PostgresQueryable,
  postgresSchemaSql,
} from '../../../lib/postgres/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { aSchemaName, dropSchema, openPool, RecordingClient } from '../../helpers/postgres.js';
import { describeWithService } from '../../helpers/services.js';

await describeWithService('postgres', 'The tables of PostgresInboxStore', () => {
  let pool: Pool;
  let schema: string;

  beforeAll(() => {
    pool = openPool();
  });

  beforeEach(() => {
    schema = aSchemaName();
  });

  afterEach(() => dropSchema(pool, schema));

  afterAll(() => pool.end());

  async function versions(): Promise<number[]> {
    const { rows } = await pool.query(`SELECT version FROM "${schema}".inbox_migrations ORDER BY version`);
    return rows.map(({ version }) => version);
  }

  describe('are created', () => {
    it('once, by ten stores at the same time', async () => {
      const stores = Array.from({ length: 10 }, () => new PostgresInboxStore({ client: pool, schema }));

      await Promise.all(stores.map((store) => store.migrate()));

      expect(await versions()).toEqual([1]);
    });

    it('before the first use, once for concurrent calls', async () => {
      const client = new RecordingClient(pool);
      const store = new PostgresInboxStore({ client, schema });

      await Promise.all([store.count(), store.list(), store.ping()]);

      expect(client.statements).toHaveLength(4);
      expect(client.statements.filter((text) => text.startsWith('DO '))).toHaveLength(1);
    });

    it('at the next use if the first attempt failed', async () => {
      let failures = 1;
      const client: PostgresQueryable = {
        query: async (text, values) => {
          if (failures-- > 0) throw new Error('connection refused');
          return pool.query(text, values);
        },
      };
      const store = new PostgresInboxStore({ client, schema });

      await expect(store.count()).rejects.toThrow('connection refused');
      expect(await store.count()).toBe(0);
    });

    it('by the SQL of postgresSchemaSql, which can be repeated', async () => {
      await pool.query(postgresSchemaSql(schema));
      await pool.query(postgresSchemaSql(schema));

      const store = new PostgresInboxStore({ client: pool, schema, migrate: false });
      expect(await store.count()).toBe(0);
      expect(await versions()).toEqual([1]);
    });

    it('in a schema whose name is a reserved word in mixed case', async () => {
      schema = `Select_${schema}`.slice(0, 40);
      const store = new PostgresInboxStore({ client: pool, schema });

      await store.claim(anEvent(), ['A.run'], aLease());

      expect(await store.count()).toBe(1);
    });
  });

  it('are not created with migrate: false', async () => {
    const store = new PostgresInboxStore({ client: pool, schema, migrate: false });

    await expect(store.ping()).rejects.toThrow('does not exist');
    await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toThrow('does not exist');
  });

  it('keep their data when the migration runs again', async () => {
    const store = new PostgresInboxStore({ client: pool, schema });
    const event = anEvent();
    await store.claim(event, ['A.run'], aLease());

    await store.migrate();

    expect(await store.get(event)).toBeDefined();
  });

  it('need only the rights to read and write, once they exist', async () => {
    await new PostgresInboxStore({ client: pool, schema }).migrate();
    const client = await pool.connect();
    try {
      await client.query(`BEGIN; CREATE ROLE "${schema}"; GRANT USAGE ON SCHEMA "${schema}" TO "${schema}";
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${schema}";
        SET LOCAL ROLE "${schema}"`);
      const store = new PostgresInboxStore({ client, schema });
      const event = anEvent();
      const lease = aLease();

      await store.claim(event, ['A.run'], lease);

      expect(await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual(['A.run']);
      expect(await store.prune(new Date('2999-01-01'))).toBe(1);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });

  it('are shared only by the stores of the same schema', async () => {
    const event = anEvent();
    const other = aSchemaName();
    const [one, two, apart] = [schema, schema, other].map(
      (name) => new PostgresInboxStore({ client: pool, schema: name }),
    );
    try {
      await one?.claim(event, ['A.run'], aLease());

      expect(await two?.get(event)).toBeDefined();
      expect(await apart?.get(event)).toBeUndefined();
    } finally {
      await dropSchema(pool, other);
    }
  });
});
