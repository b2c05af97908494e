import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import {
  drizzleQueryable,
  PostgresInboxStore,
  type PostgresQueryable,
} from 'nestjs-scalekit-webhooks/postgres';
import { Client, type Pool, type PoolClient } from 'pg';
import { isConflict } from '../../../lib/postgres/postgres.connection.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool } from '../../helpers/postgres.js';
import { type OpenLibrary, PGLITE_LIBRARIES, SERVER_LIBRARIES } from '../../helpers/postgres-libraries.js';
import { describeWithService, installedOf } from '../../helpers/services.js';
import { TcpProxy } from '../../helpers/tcp-proxy.js';
import { until } from '../../helpers/until.js';
import { expectToEndAtTheDeadline } from './hanging-work.js';
import { startTransactionApp } from './transaction-app.js';

const NOT_COMMITTED = 'failed TransactionNotCommittedError';

interface Database {
  readonly library: OpenLibrary;
  readonly schema: string;
  /** A client that does not belong to the store. */
  readonly observer: PostgresQueryable;
}

function itCommitsTogether(current: () => Database): void {
  let store: PostgresInboxStore;
  let effects: string;

  beforeEach(async () => {
    const { library, schema, observer } = current();
    store = new PostgresInboxStore({ application: 'test', client: library.client, schema });
    await store.migrate();
    effects = `"${schema}".effects`;
    await observer.query(`CREATE TABLE IF NOT EXISTS ${effects} (event_id text)`);
    await observer.query(`DELETE FROM ${effects}`);
  });

  async function countEffects(): Promise<number> {
    const result = await current().observer.query(`SELECT event_id FROM ${effects}`);
    return (Array.isArray(result) ? result : result.rows).length;
  }
  const insert = async (tx: never, eventId: string) =>
    current().library.run(tx, `INSERT INTO ${effects} VALUES ('${eventId}')`);
  const workWell = (eventId: string, delivery: ScalekitDelivery) =>
    delivery.transaction(async (tx: never) => {
      await insert(tx, eventId);
    });

  it('commits the changes and the record together', async () => {
    const { deliver, run } = await startTransactionApp(store, workWell);

    expect([await deliver(), await deliver()]).toEqual([201, 200]);
    expect([await run(), await countEffects()]).toEqual(['done', 1]);
  });

  it('returns what the work returns', async () => {
    const event = anEvent();
    const lease = aLease();
    await store.claim(event, ['A.run'], lease);

    expect(await store.transaction(event, 'A.run', lease, async () => 'result')).toBe('result');
    expect(await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual(['A.run']);
  });

  it('lets workers take runs, extend their leases and put them back', async () => {
    const event = anEvent({
      endpoint: aSchemaName(),
      delivery: { id: 'msg_1', headers: { 'x-tenant': 'acme' } },
    });
    const lease = aLease();
    const ids = ['A.run', 'B.run'];
    const take = () => store.takeDue({ endpoint: event.endpoint, handlerIds: ids, limit: 9, lease });

    expect([...(await store.enqueue(event, [...ids, 'Old.run'])).values()]).toEqual(Array(3).fill('queued'));
    const { runs } = await take();
    expect(runs.map(({ handlerId }) => handlerId).sort()).toEqual(ids);
    expect(runs[0]).toMatchObject({ payload: event.payload, delivery: event.delivery, attempt: 1 });
    expect(await store.extend(event, 'A.run', lease)).toBe(true);
    const ends = ids.map((handlerId) => ({ handlerId, state: 'queued' as const, retryInMs: 0 }));
    expect([...(await store.settle(event, ends, lease))].sort()).toEqual(ids);
    expect([...(await store.stranded(event.endpoint, ids, 0))]).toEqual([['Old.run', 1]]);
    await store.setPaused(event.endpoint, true);
    expect(await take()).toEqual({ runs: [], isPaused: true });
    await store.setPaused(event.endpoint, false);
    expect((await take()).runs).toHaveLength(2);
    expect(await store.isPaused(event.endpoint)).toBe(false);
  });

  it('fails the run if the work swallows an error of the database', async () => {
    const app = await startTransactionApp(store, (eventId, delivery) =>
      delivery.transaction(async (tx: never) => {
        await insert(tx, eventId);
        await current()
          .library.run(tx, 'SELECT 1 / 0')
          .catch(() => {});
      }),
    );

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toMatch(/^failed /);
    expect(await countEffects()).toBe(0);
    app.work = workWell;
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    expect(await countEffects()).toBe(1);
  });

  it('fails the run if the handler swallows the error of the work', async () => {
    const app = await startTransactionApp(store, (eventId, delivery) =>
      delivery
        .transaction(async (tx: never) => {
          await insert(tx, eventId);
          throw new Error('broken');
        })
        .catch(() => {}),
    );

    expect(await app.deliver()).toBe(500);
    expect([await app.run(), await countEffects()]).toEqual([NOT_COMMITTED, 0]);
    app.work = workWell;
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    expect(await countEffects()).toBe(1);
  });

  it('is rolled back at the deadline if the work hangs, and refuses the statements that come later', () =>
    expectToEndAtTheDeadline(store, insert, countEffects));

  it('refuses statements that the work did not wait for once it has committed', async () => {
    let leaked: unknown;
    const app = await startTransactionApp(store, (_eventId, delivery) =>
      delivery.transaction(async (tx: never) => {
        leaked = tx;
      }),
    );

    expect(await app.deliver()).toBe(201);
    await expect(async () => insert(leaked as never, app.eventId)).rejects.toThrow();
    expect(await countEffects()).toBe(0);
  });

  it('rolls everything back if another attempt has taken over', async () => {
    const event = anEvent();
    const lease = aLease({ durationMs: -1 });
    await store.claim(event, ['A.run'], lease);
    await store.claim(event, ['A.run'], aLease());

    const transaction = store.transaction(event, 'A.run', lease, async (tx: never) =>
      insert(tx, event.eventId),
    );

    await expect(transaction).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await countEffects()).toBe(0);
  });

  it('refuses the record if the work has ended the transaction itself', async () => {
    const event = anEvent();
    const lease = aLease();
    await store.claim(event, ['A.run'], lease);

    const transaction = store.transaction(event, 'A.run', lease, async (tx: never) => {
      await insert(tx, event.eventId);
      await current().library.run(tx, 'ROLLBACK');
    });

    await expect(transaction).rejects.toMatchObject({ setting: 'transaction' });
    expect(await countEffects()).toBe(0);
    expect(await store.get(event)).toMatchObject({ runs: [{ state: 'running' }] });
  });
}

await describeWithService('postgres', 'delivery.transaction on a Postgres server', (connectionString) => {
  const schema = aSchemaName();
  const observer = openPool({ max: 2 });

  afterAll(async () => {
    await dropSchema(observer, schema);
    await observer.end();
  });

  describe.each(installedOf('delivery.transaction', SERVER_LIBRARIES))('with %s', (_name, open) => {
    let library: OpenLibrary;

    beforeAll(async () => {
      library = await open({ connectionString, max: 4 });
    });
    afterAll(() => library.close());

    itCommitsTogether(() => ({ library, schema, observer }));

    it('is understood when it reports that Postgres wants a statement to be repeated', async () => {
      const conflict = "DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$";

      const failure = await library.client.query(conflict).catch((error) => error);

      expect(isConflict(failure)).toBe(true);
    });

    it('fails the run if the server ends the connection, and succeeds with the next delivery', async () => {
      const store = new PostgresInboxStore({ application: 'test', client: library.client, schema });
      const app = await startTransactionApp(store, (_eventId, delivery) =>
        delivery.transaction(async (tx: never) => {
          await library.run(tx, `SELECT set_config('application_name', '${schema}', true)`);
          const ended = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1';
          await observer.query(ended, [schema]);
          const gone = 'SELECT 1 FROM pg_stat_activity WHERE application_name = $1';
          while ((await observer.query(gone, [schema])).rows.length > 0);
        }),
      );

      expect(await app.deliver()).toBe(500);
      app.work = async (_eventId, delivery) => delivery.transaction(async () => {});
      expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    });
  });

  it('is refused with a single connection, which other deliveries use too', async () => {
    const client = new Client(connectionString);
    await client.connect();
    cleanUpAfterTest(() => client.end());
    const store = new PostgresInboxStore({ application: 'test', client, schema });
    const { deliver, run } = await startTransactionApp(store, (_eventId, delivery) =>
      delivery.transaction(async () => {}),
    );

    expect(await deliver()).toBe(500);
    expect(await run()).toBe('failed ScalekitWebhooksConfigurationError');
  });

  it('gives every connection back to the pool', async () => {
    const pool = openPool({ max: 1 });
    cleanUpAfterTest(() => pool.end());
    const store = new PostgresInboxStore({ application: 'test', client: pool, schema });
    const app = await startTransactionApp(store, (_eventId, delivery) =>
      delivery.transaction(async () => Promise.reject(new Error('broken'))),
    );

    expect([await app.deliver(), await app.deliver()]).toEqual([500, 500]);
    app.work = (_eventId, delivery) => delivery.transaction(async () => {});
    expect(await app.deliver()).toBe(201);
    expect([pool.totalCount, pool.idleCount]).toEqual([1, 1]);
  });

  it('survives a connection that the server ends right after it is open', async () => {
    const event = anEvent();
    const lease = aLease();
    await new PostgresInboxStore({ application: 'test', client: observer, schema }).claim(
      event,
      ['A.run'],
      lease,
    );
    const proxy = await TcpProxy.start(connectionString);
    const pool = openPool({ connectionString: proxy.url, application_name: schema });
    pool.on('error', () => {});
    cleanUpAfterTest(() => pool.end());
    const store = new PostgresInboxStore({ application: 'test', client: pool, schema });
    proxy.isSlow = true;

    const transaction = store.transaction(event, 'A.run', lease, async () => {});
    const rejected = expect(transaction).rejects.toThrow(/connection/);
    const end =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND state = 'idle'";
    await until(
      () => observer.query(end, [schema]),
      ({ rows }) => rows.length > 0,
    );
    await rejected;
    proxy.isSlow = false;
    await store.transaction(event, 'A.run', lease, async () => {});
    expect(await store.get(event)).toMatchObject({ runs: [{ state: 'done' }] });
  });

  /** Replaces COMMIT on the only connection of a pool. */
  async function replaceCommit(
    pool: Pool,
    replacement: (commit: () => Promise<unknown>, client: PoolClient) => Promise<unknown>,
  ): Promise<void> {
    const client = await pool.connect();
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    Reflect.set(client, 'query', (...args: unknown[]) =>
      args[0] === 'COMMIT' ? replacement(() => query('COMMIT'), client) : query(...args),
    );
    client.release();
  }

  it('commits an effect once if the answer to the commit is lost and the handler tries again', async () => {
    const pool = openPool({ max: 1 });
    cleanUpAfterTest(() => pool.end());
    const store = new PostgresInboxStore({ application: 'test', client: pool, schema });
    const seats = `"${schema}".seats`;
    await observer.query(`CREATE TABLE ${seats} (event_id text)`);
    await replaceCommit(pool, async (commit) => {
      await commit();
      throw new Error('Connection terminated');
    });
    const failures: unknown[] = [];
    const app = await startTransactionApp(store, async (eventId, delivery) => {
      const takeSeat = () =>
        delivery.transaction(async (client: Client) => {
          await client.query(`INSERT INTO ${seats} VALUES ($1)`, [eventId]);
        });
      for (const _attempt of [1, 2]) await takeSeat().catch((error) => failures.push(error));
      throw failures.at(-1);
    });

    expect([await app.deliver(), await app.deliver()]).toEqual([500, 200]);
    expect(failures).toMatchObject([{ message: 'Connection terminated' }, { code: 'lease_lost' }]);
    expect(await app.run()).toBe('done');
    expect((await observer.query(`SELECT FROM ${seats}`)).rows).toHaveLength(1);
  });

  it('refuses statements in a nested transaction of Drizzle after the end of the outer one', async () => {
    const pool = openPool();
    cleanUpAfterTest(() => pool.end());
    const client = drizzleQueryable(drizzle(pool));
    const store = new PostgresInboxStore({ application: 'test', client, schema });
    type DrizzleTransaction = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];
    let leaked: DrizzleTransaction | undefined;
    const app = await startTransactionApp(store, (_eventId, delivery) =>
      delivery.transaction((tx: DrizzleTransaction) =>
        tx.transaction(async (nested) => {
          await nested.execute(sql`SELECT 1`);
          leaked = nested;
        }),
      ),
    );

    expect(await app.deliver()).toBe(201);
    expect(() => leaked?.execute(sql`SELECT 1`)).toThrow(/transaction has ended/);
  });

  it('rejects if Postgres answers the commit with a rollback', async () => {
    const pool = openPool({ max: 1 });
    cleanUpAfterTest(() => pool.end());
    const store = new PostgresInboxStore({ application: 'test', client: pool, schema });
    const event = anEvent();
    const lease = aLease();
    await store.claim(event, ['A.run'], lease);
    // A statement of the work that comes between the record and the commit.
    await replaceCommit(pool, async (commit, client) => {
      await client.query('SELECT 1 / 0').catch(() => {});
      return commit();
    });

    await expect(store.transaction(event, 'A.run', lease, async () => {})).rejects.toMatchObject({
      code: 'transaction_not_committed',
    });
    expect(await store.get(event)).toMatchObject({ runs: [{ state: 'running' }] });
  });
});

describe('delivery.transaction in a PGlite', () => {
  let observer: PGlite;

  beforeAll(async () => {
    observer = await PGlite.create();
  }, 60_000);
  afterAll(() => observer.close());

  describe.each(Object.entries(PGLITE_LIBRARIES))('with %s', (_name, open) => {
    itCommitsTogether(() => ({ library: open(observer), schema: 'pglite', observer }));
  });
});
