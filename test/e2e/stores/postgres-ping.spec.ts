import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InboxUnusableError } from 'nestjs-scalekit-webhooks';
import {
  type PostgresInboxOptions,
  PostgresInboxStore,
  type PostgresQueryable,
  postgresSchemaSql,
} from 'nestjs-scalekit-webhooks/postgres';
import type { Pool, PoolConfig } from 'pg';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { MARIADB_CLIENTS, startMariaDb } from '../../helpers/mariadb-server.js';
import { aSchemaName, dropSchema, openPool } from '../../helpers/postgres.js';
import { PostgresServer } from '../../helpers/postgres-server.js';
import { serviceUrl } from '../../helpers/service-url.js';
import { describeWithServers, describeWithService, installedOf } from '../../helpers/services.js';

/** The problems that a ping finds; none if it resolves. */
async function problemsOf(store: PostgresInboxStore): Promise<readonly string[]> {
  try {
    await store.ping();
    return [];
  } catch (error) {
    if (error instanceof InboxUnusableError) return error.problems;
    throw error;
  }
}

function open(config: PoolConfig = {}): Pool {
  const pool = openPool({ max: 2, ...config });
  pool.on('error', () => {});
  cleanUpAfterTest(() => pool.end());
  return pool;
}

await describeWithService('postgres', 'The ping of PostgresInboxStore', (url) => {
  let admin: Pool;
  let schema: string;
  let role: string;

  beforeEach(async () => {
    admin = openPool({ max: 1 });
    schema = aSchemaName();
    role = `test_${randomUUID().replaceAll('-', '')}`;
    await admin.query(`CREATE ROLE "${role}"`);
  });

  afterEach(async () => {
    await dropSchema(admin, schema);
    await admin.query(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`);
    await admin.end();
  });

  function storeOn(
    client: PostgresQueryable,
    options: Partial<PostgresInboxOptions> = {},
  ): PostgresInboxStore {
    return new PostgresInboxStore({ client, application: 'billing', schema, ...options });
  }

  /** Creates the tables, with every right on them for the role. */
  async function createTables(): Promise<void> {
    await admin.query(postgresSchemaSql({ application: 'billing', schema }));
    await admin.query(`GRANT USAGE ON SCHEMA "${schema}" TO "${role}";
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${role}"`);
  }

  const asRole = () => open({ options: `-c role=${role}` });
  const readOnly = () => open({ options: '-c default_transaction_read_only=on' });

  it.each([true, false])('resolves for a role with all rights, with migrate: %p', async (migrate) => {
    await createTables();

    expect(await problemsOf(storeOn(asRole(), { migrate }))).toEqual([]);
  });

  it('creates the tables if the store does so', async () => {
    expect(await problemsOf(storeOn(admin))).toEqual([]);
    expect(await problemsOf(storeOn(admin, { migrate: false }))).toEqual([]);
  });

  it('knows every column of the tables', async () => {
    await createTables();
    const { rows } = await admin.query(
      `SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = $1 AND table_name <> 'inbox_migrations'`,
      [schema],
    );

    for (const { table_name: table, column_name: column } of rows) {
      await admin.query(`BEGIN; ALTER TABLE "${schema}".${table} DROP COLUMN ${column} CASCADE`);
      const problems = await problemsOf(storeOn(admin, { migrate: false }));
      await admin.query('ROLLBACK');
      expect(problems).toEqual([expect.stringContaining(`: they lack ${table}.${column}.`)]);
    }
  });

  describe('says what is wrong and what to do', () => {
    it.each<[string, () => Promise<PostgresInboxStore>, readonly RegExp[]]>([
      [
        'without tables and with migrate: false',
        async () => storeOn(admin, { migrate: false }),
        [
          /^What the inbox needs does not exist in the schema "test_\w+" of the database "test": inbox_entities, inbox_events, inbox_keys, inbox_pauses, inbox_recoveries, inbox_runs\. Run the SQL that postgresSchemaSql\(\{ application: 'billing', schema: 'test_\w+' \}\) returns/,
        ],
      ],
      [
        'with tables of an older version',
        async () => {
          await createTables();
          await admin.query(`ALTER TABLE "${schema}".inbox_runs DROP COLUMN due_at, DROP COLUMN worker_attempts;
            DROP TABLE "${schema}".inbox_pauses`);
          return storeOn(admin, { migrate: false });
        },
        [
          /^The tables of the inbox in the schema "test_\w+" .*older version: they lack inbox_pauses, inbox_runs\.due_at, inbox_runs\.worker_attempts\. Run the SQL/,
        ],
      ],
      [
        'for a role that may not create a schema',
        async () => storeOn(asRole()),
        [
          /^The inbox could not create or update its tables: permission denied for database test\. Run the SQL that postgresSchemaSql\(.*with a role that may create them, and set migrate: false\.$/,
        ],
      ],
      [
        'for a role that may not read which migrations were applied',
        async () => {
          await createTables();
          await admin.query(`REVOKE ALL ON "${schema}".inbox_migrations FROM "${role}"`);
          return storeOn(asRole());
        },
        [
          /permission denied for table inbox_migrations\. They are complete, so you can set migrate: false\.$/,
        ],
      ],
      [
        'for a role that may not use the schema',
        async () => {
          await createTables();
          await admin.query(`REVOKE USAGE ON SCHEMA "${schema}" FROM "${role}"`);
          return storeOn(asRole());
        },
        [/^The role "test_\w+" lacks rights: USAGE on the schema\. Run: GRANT USAGE ON SCHEMA/],
      ],
      [
        "for a role that may not drop payloads, with payloads: 'drop-when-done'",
        async () => {
          await createTables();
          await admin.query(`REVOKE UPDATE ON "${schema}".inbox_events FROM "${role}"`);
          return storeOn(asRole(), { payloads: 'drop-when-done', migrate: false });
        },
        [/^The role "test_\w+" lacks rights: UPDATE on inbox_events\. Run: GRANT/],
      ],
      [
        'for a read-only role',
        async () => {
          await createTables();
          return storeOn(readOnly());
        },
        [/^Transactions of the role "\w+" are read-only\. Turn default_transaction_read_only off/],
      ],
      [
        'for a read-only role, before there are tables',
        async () => storeOn(readOnly()),
        [/^Transactions of the role/],
      ],
      [
        'if two things are wrong',
        async () => storeOn(readOnly(), { migrate: false }),
        [/^Transactions of the role/, /^What the inbox needs does not exist/],
      ],
      [
        'if nothing listens',
        async () => storeOn(open({ connectionString: 'postgres://postgres@127.0.0.1:1/test' })),
        [/^The database cannot be used: connect ECONNREFUSED 127\.0\.0\.1:1\. Check that it is running/],
      ],
      [
        'if the database does not exist',
        async () =>
          storeOn(open({ connectionString: Object.assign(new URL(url), { pathname: '/nope' }).href })),
        [/^The database cannot be used: database "nope" does not exist\. Create the database/],
      ],
      [
        'if the role may not log in',
        async () => storeOn(open({ connectionString: Object.assign(new URL(url), { username: role }).href })),
        [/is not permitted to log in\. Check the user of the client/],
      ],
    ])('%s', async (_case, arrange, problems) => {
      expect(await problemsOf(await arrange())).toEqual(problems.map((text) => expect.stringMatching(text)));
    });

    it.each([
      [
        'SELECT',
        'SELECT on inbox_entities; SELECT on inbox_events; SELECT on inbox_keys; SELECT on inbox_runs',
      ],
      [
        'INSERT',
        'INSERT on inbox_entities; INSERT on inbox_events; INSERT on inbox_keys; INSERT on inbox_runs',
      ],
      ['UPDATE', 'UPDATE on inbox_entities; UPDATE on inbox_keys; UPDATE on inbox_runs'],
    ])('for a role without %s', async (right, denied) => {
      await createTables();
      await admin.query(`REVOKE ${right} ON ALL TABLES IN SCHEMA "${schema}" FROM "${role}"`);

      expect(await problemsOf(storeOn(asRole()))).toEqual([
        `The role "${role}" lacks rights: ${denied}. Run: GRANT USAGE ON SCHEMA "${schema}" TO "${role}"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${role}";`,
      ]);
    });

    it('on a server that is too old', async () => {
      const older: PostgresQueryable = {
        query: async (text, values) => {
          const { rows } = await admin.query(text, values);
          return rows.map((row) => ({
            ...row,
            version: 'PostgreSQL 11.22 on x86_64',
            version_number: 110022,
          }));
        },
      };

      expect(await problemsOf(storeOn(older))).toEqual([
        'The server is "PostgreSQL 11.22", but the inbox needs Postgres 12 or later. Update the server.',
      ]);
    });
  });

  it('reports once an hour that the role may not delete, and resolves', async () => {
    await createTables();
    await admin.query(`REVOKE DELETE ON ALL TABLES IN SCHEMA "${schema}" FROM "${role}"`);
    const store = storeOn(asRole());
    const report = jest.fn();
    store.onWarning(report);

    expect([await problemsOf(store), await problemsOf(store)]).toEqual([[], []]);

    expect(report.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^Events older than retentionMs could not be deleted .*GRANT UPDATE, DELETE ON/,
        ),
      ],
    ]);
  });

  it('does not show the password of the client', async () => {
    const secret = 'hunter2';
    const connectionString = serviceUrl('postgres').replace(/\/\/[^@]*@/, `//nobody:${secret}@`);

    const [problem] = await problemsOf(storeOn(open({ connectionString })));

    expect(problem).toMatch(/^The database cannot be used: role "nobody" does not exist/);
    expect(problem).not.toContain(secret);
  });
});

describeWithServers('postgres', 'The ping of PostgresInboxStore', () => {
  it('says that a standby only answers reads', async () => {
    const server = await PostgresServer.start();
    cleanUpAfterTest(() => server.stop());
    await server.becomeStandby();

    expect(
      await problemsOf(
        new PostgresInboxStore({ client: open({ connectionString: server.url }), application: 'billing' }),
      ),
    ).toEqual(['The server is a standby, which only answers reads. Connect the client to the primary.']);
  }, 60_000);
});

describeWithServers('mariadb', 'The ping of PostgresInboxStore on MariaDB', () => {
  let port: number;

  beforeAll(async () => {
    port = await startMariaDb();
  }, 60_000);

  const storeOn = (client: PostgresQueryable) => new PostgresInboxStore({ client, application: 'billing' });

  // Not `it.each`, which refuses an empty table.
  for (const [name, openOn] of installedOf('The ping on MariaDB', MARIADB_CLIENTS)) {
    it(`names the server, with ${name}`, async () => {
      const { client, close } = await openOn(port);
      cleanUpAfterTest(close);

      expect(await problemsOf(storeOn(client))).toEqual([
        expect.stringMatching(
          /^The client is connected to "\d+\.[^"]*MariaDB[^"]*", which is not Postgres\. Connect it to Postgres 12/,
        ),
      ]);
    });
  }

  it('says that it is not Postgres, with pg', async () => {
    const pool = open({ connectionString: `postgres://test@127.0.0.1:${port}/test` });

    expect(await problemsOf(storeOn(pool))).toEqual([
      expect.stringMatching(
        /^The database cannot be used: .* is probably not Postgres but another one, such as/,
      ),
    ]);
  });
});
