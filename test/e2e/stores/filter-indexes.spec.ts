import { beforeEach, describe, expect, it } from '@jest/globals';
import type { InboxFilter, InboxStore } from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { PostgresInboxStore, type PostgresQueryable } from '../../../lib/postgres/index.js';
import { postgresTables } from '../../../lib/postgres/postgres.schema.js';
import { postgresStatements } from '../../../lib/postgres/postgres.sql.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';
import { openSqlite } from '../../helpers/sqlite-files.js';

const NOW = new Date();

/** The filters, each with the index that returns the fewest entries in the order of receipt. */
const FILTERS: [InboxFilter, { postgres: string; sqlite: string }][] = [
  [{ type: 'a' }, { postgres: 'events_by_type', sqlite: 'events_by_type' }],
  [{ state: 'dead' }, { postgres: 'runs_not_done', sqlite: 'handlers_by_state' }],
  [{ state: 'done' }, { postgres: 'events_by_seq', sqlite: 'handlers_by_state' }],
  [{ handler: 'a' }, { postgres: 'runs_by_handler', sqlite: 'handlers_by_handler' }],
  [
    { handler: 'a', state: 'failed' },
    { postgres: 'runs_not_done', sqlite: 'handlers_by_state' },
  ],
  [{ organizationId: 'a' }, { postgres: 'events_by_organization', sqlite: 'events_by_organization' }],
  [
    { entity: 'a', type: 'a', state: 'dead' },
    { postgres: 'events_by_entity', sqlite: 'events_by_entity' },
  ],
  [
    { error: 'a', state: 'dead' },
    { postgres: 'runs_with_error', sqlite: 'handlers_with_error' },
  ],
  [
    { receivedAfter: NOW, receivedBefore: NOW },
    { postgres: 'events_by_age', sqlite: 'events_by_age' },
  ],
];

/** Lists with the filter, and returns how the statement that it sent last is executed. */
type Explain = (list: (store: InboxStore) => Promise<unknown>) => Promise<string>;

await describeWithService('postgres', 'In Postgres, before it knows how large the tables are,', () => {
  const postgres = PostgresFixture.use();
  let explain: Explain;

  beforeEach(async () => {
    let last: [text: string, values?: unknown[]] = [''];
    const client: PostgresQueryable = {
      query: (text, values) => {
        last = [text, values];
        return postgres.pool.query(text, values);
      },
    };
    const { schema } = postgres;
    const store = new PostgresInboxStore({ client, application: 'test', schema, migrate: false });
    explain = async (list) => {
      await list(store);
      const { rows } = await postgres.pool.query(`EXPLAIN ${last[0]}`, last[1]);
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    };
  });

  it.each(FILTERS)('the filter %j uses its index, in order', async (filter, index) => {
    const plan = await explain((store) => store.list({ endpoint: 'default', ...filter }));

    expect(plan).toContain(`inbox_${index.postgres}`);
    expect(plan).not.toContain('Seq Scan');
  });

  it.each([
    [{ organizationId: 'a' }, 'organization'],
    [{ entity: 'a' }, 'entity'],
  ] as const)('erasing %j uses its index, and looks runs up by their keys', async (target, index) => {
    const plan = await explain(async (store) => store.erase?.(target));

    expect(plan).toContain(`inbox_events_by_${index}`);
    expect(plan).toContain('inbox_runs_pkey');
    expect(plan).not.toContain('Seq Scan');
  });

  it('a claim looks events and runs up by their keys', async () => {
    const { claim } = postgresStatements(postgresTables(postgres.schema, 'test'));
    const { rows } = await postgres.pool.query(`EXPLAIN ${claim}`, [null, '[]', '[]']);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');

    const used = [...plan.matchAll(/Index Scan using (\w+)/g)].map(([, name]) => name);
    expect(new Set(used)).toEqual(new Set(['inbox_events_pkey', 'inbox_runs_pkey']));
    expect(plan).not.toContain('Seq Scan');
  });
});

describe('In SQLite,', () => {
  it.each(FILTERS)('the filter %j uses its index, in order', async (filter, index) => {
    const database = openSqlite(':memory:');
    const statements: string[] = [];
    const recording = {
      exec: (sql: string) => database.exec(sql),
      prepare: (sql: string) => {
        statements.push(sql);
        return database.prepare(sql);
      },
    };
    const store = new SqliteInboxStore({ database: recording });
    await store.list({ endpoint: 'default', ...filter });

    const select = statements.find((sql) => sql.includes('json_group_array')) ?? '';
    const parameters = select.match(/\?/g)?.map(() => 1) ?? [];
    const steps = database.prepare(`EXPLAIN QUERY PLAN ${select}`).all(...parameters);
    const plan = steps.map((step) => String(Reflect.get(Object(step), 'detail'))).join('\n');

    expect(plan).toContain(`scalekit_webhooks_${index.sqlite}`);
    expect(plan).not.toMatch(/TEMP B-TREE|SCAN (?!CONSTANT)/);
  });
});
