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
      const stores = Array.from(
        { length: 10 },
        () => new PostgresInboxStore({ client: pool, application: 'test', schema }),
      );

      await Promise.all(stores.map((store) => store.migrate()));

      expect(await versions()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    });

    it('before the first use, once for concurrent calls', async () => {
      const client = new RecordingClient(pool);
      const store = new PostgresInboxStore({ client, application: 'test', schema });

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
      const store = new PostgresInboxStore({ client, application: 'test', schema });

      await expect(store.count()).rejects.toThrow('connection refused');
      expect(await store.count()).toBe(0);
    });

    it('by the SQL of postgresSchemaSql, which can be repeated', async () => {
      await pool.query(postgresSchemaSql({ application: 'test', schema }));
      await pool.query(postgresSchemaSql({ application: 'test', schema }));

      const store = new PostgresInboxStore({ client: pool, application: 'test', schema, migrate: false });
      expect(await store.count()).toBe(0);
      expect(await versions()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    });

    it('in a schema whose name is a reserved word in mixed case', async () => {
      schema = `Select_${schema}`.slice(0, 40);
      const store = new PostgresInboxStore({ client: pool, application: 'test', schema });

      await store.claim(anEvent(), ['A.run'], aLease());

      expect(await store.count()).toBe(1);
    });
  });

  describe('of version 1', () => {
    const event = anEvent({ eventId: 'evt_1' });

    beforeEach(async () => {
      await pool.query(versionOneSql(schema));
      await pool.query(
        `INSERT INTO "${schema}".inbox_events (endpoint, event_id, type, occurred_at, payload)
          VALUES ('${event.endpoint}', 'evt_1', 'user.created', '', 'old');
        INSERT INTO "${schema}".inbox_runs (endpoint, event_id, handler_id, state, attempts, updated_at)
          VALUES ('${event.endpoint}', 'evt_1', 'A.run', 'done', 1, now())`,
      );
    });

    it('are updated, and their events are assigned to the application that is first', async () => {
      const billing = new PostgresInboxStore({ client: pool, application: 'billing', schema });
      const shipping = new PostgresInboxStore({ client: pool, application: 'shipping', schema });

      expect(await billing.get(event)).toMatchObject({ runs: [{ handlerId: 'A.run', state: 'done' }] });
      expect(await shipping.get(event)).toBeUndefined();
      expect((await billing.claim(event, ['A.run'], aLease())).get('A.run')).toEqual({ state: 'done' });
      expect((await shipping.claim(event, ['A.run'], aLease())).get('A.run')?.state).toBe('claimed');
      expect(await billing.prune(new Date('2999-01-01'))).toBe(1);
      expect(await versions()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    });

    it('are updated by the SQL of postgresSchemaSql, for its application', async () => {
      await pool.query(postgresSchemaSql({ application: 'shipping', schema }));
      await pool.query(postgresSchemaSql({ application: 'billing', schema }));

      const [billing, shipping] = ['billing', 'shipping'].map(
        (application) => new PostgresInboxStore({ client: pool, application, schema, migrate: false }),
      );
      expect([await billing?.count(), await shipping?.count()]).toEqual([0, 1]);
    });

    it('have the same columns, constraints and indexes as new ones, once they are updated', async () => {
      const fresh = aSchemaName();
      try {
        await pool.query(postgresSchemaSql({ application: 'a', schema }));
        await pool.query(postgresSchemaSql({ application: 'b', schema: fresh }));

        expect(await definitions(schema)).toEqual(await definitions(fresh));
      } finally {
        await dropSchema(pool, fresh);
      }
    });
  });

  async function definitions(of: string): Promise<string[]> {
    const { rows } = await pool.query(
      `SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default) AS text
        FROM information_schema.columns WHERE table_schema = $1
      UNION SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = $1::regnamespace
      UNION SELECT indexdef FROM pg_indexes WHERE schemaname = $1
      ORDER BY text`,
      [of],
    );
    return rows.map(({ text }) => String(text).replaceAll(of, 'schema'));
  }

  it('are not created with migrate: false', async () => {
    const store = new PostgresInboxStore({ client: pool, application: 'test', schema, migrate: false });

    await expect(store.ping()).rejects.toThrow('does not exist');
    await expect(store.claim(anEvent(), ['A.run'], aLease())).rejects.toThrow('does not exist');
  });

  it('keep their data when the migration runs again', async () => {
    const store = new PostgresInboxStore({ client: pool, application: 'test', schema });
    const event = anEvent();
    await store.claim(event, ['A.run'], aLease());

    await store.migrate();

    expect(await store.get(event)).toBeDefined();
  });

  it('need only the rights to read and write, once they exist', async () => {
    await new PostgresInboxStore({ client: pool, application: 'test', schema }).migrate();
    const client = await pool.connect();
    try {
      await client.query(`BEGIN; CREATE ROLE "${schema}"; GRANT USAGE ON SCHEMA "${schema}" TO "${schema}";
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${schema}";
        SET LOCAL ROLE "${schema}"`);
      const store = new PostgresInboxStore({ client, application: 'test', schema });
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
      (name) => new PostgresInboxStore({ client: pool, application: 'test', schema: name }),
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

/** The tables as the first version created them. */
function versionOneSql(schema: string): string {
  return `CREATE SCHEMA "${schema}";
    CREATE TABLE "${schema}".inbox_migrations (
      version integer PRIMARY KEY,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    INSERT INTO "${schema}".inbox_migrations (version) VALUES (1);
    CREATE TABLE "${schema}".inbox_events (
      seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      endpoint text COLLATE "C" NOT NULL,
      event_id text COLLATE "C" NOT NULL,
      type text NOT NULL,
      occurred_at text NOT NULL,
      received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      payload bytea NOT NULL,
      PRIMARY KEY (endpoint, event_id)
    );
    CREATE INDEX inbox_events_by_age ON "${schema}".inbox_events (received_at);
    CREATE TABLE "${schema}".inbox_runs (
      endpoint text COLLATE "C" NOT NULL,
      event_id text COLLATE "C" NOT NULL,
      handler_id text COLLATE "C" NOT NULL,
      state text NOT NULL CHECK (state IN ('running', 'queued', 'done', 'failed', 'dead')),
      attempts integer NOT NULL,
      updated_at timestamptz NOT NULL,
      lease_token text,
      lease_ends_at timestamptz,
      error_name text,
      error_message text,
      PRIMARY KEY (endpoint, event_id, handler_id),
      FOREIGN KEY (endpoint, event_id) REFERENCES "${schema}".inbox_events ON DELETE CASCADE
    );
    CREATE INDEX inbox_runs_not_done ON "${schema}".inbox_runs (state) WHERE state <> 'done'`;
}
