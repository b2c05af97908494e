import { PGlite } from '@electric-sql/pglite';
import { beforeEach, expect, it } from '@jest/globals';
import type { InboxStore, ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { openPool } from '../../helpers/postgres.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';
import { startTransactionApp } from './transaction-app.js';

const NOT_COMMITTED = 'failed TransactionNotCommittedError';
const REFUSED = 'failed ScalekitWebhooksConfigurationError';

await describeWithService('postgres', 'delivery.complete on Postgres', (url) => {
  const postgres = PostgresFixture.use();
  let effects: string;

  beforeEach(async () => {
    effects = `"${postgres.schema}".effects`;
    await postgres.pool.query(
      `CREATE TABLE IF NOT EXISTS ${effects} (event_id text PRIMARY KEY); TRUNCATE ${effects}`,
    );
  });

  const insert = () => `INSERT INTO ${effects} VALUES ($1)`;
  const countEffects = async () => (await postgres.pool.query(`SELECT FROM ${effects}`)).rows.length;

  /** The work as it should be. */
  const workWell = async (eventId: string, complete: ScalekitDelivery['complete']) => {
    const client = await postgres.begin();
    await client.query(insert(), [eventId]);
    await complete(client);
    await postgres.commit(client);
  };

  it('fails the run if an error in the transaction was swallowed, so that COMMIT rolled back', async () => {
    const app = await startTransactionApp(postgres.store, async (eventId, delivery) => {
      const client = await postgres.begin();
      await client.query(insert(), [eventId]);
      await delivery.complete(client);
      await client.query('SELECT 1 / 0').catch(() => {});
      await postgres.commit(client);
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(NOT_COMMITTED);
    app.work = (eventId, delivery) => workWell(eventId, delivery.complete);
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    expect(await countEffects()).toBe(1);
  });

  it('fails the run if the handler rolls back and returns', async () => {
    const app = await startTransactionApp(postgres.store, async (eventId, delivery) => {
      const client = await postgres.begin();
      await client.query(insert(), [eventId]);
      await delivery.complete(client);
      await postgres.rollback(client);
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(NOT_COMMITTED);
    app.work = (eventId, delivery) => workWell(eventId, delivery.complete);
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    expect(await countEffects()).toBe(1);
  });

  it('fails the run if the handler returns before it commits', async () => {
    const app = await startTransactionApp(postgres.store, async (eventId, delivery) => {
      const client = await postgres.begin();
      await client.query(insert(), [eventId]);
      await delivery.complete(client);
      setTimeout(() => postgres.rollback(client), 100);
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(NOT_COMMITTED);
    expect(await countEffects()).toBe(0);
  });

  it('accepts a run whose handler ignores an error of its own', async () => {
    const app = await startTransactionApp(postgres.store, async (eventId, delivery) => {
      await workWell(eventId, delivery.complete);
      await Promise.reject(new Error('an e-mail')).catch(() => {});
    });

    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
  });

  it('fails the run if the inbox cannot say whether the transaction was committed', async () => {
    const { store } = postgres;
    const inbox: InboxStore = {
      claim: (...args) => store.claim(...args),
      settle: (...args) => store.settle(...args),
      complete: (...args) => store.complete(...args),
      payload: (...args) => store.payload(...args),
      reopen: (...args) => store.reopen(...args),
      dismiss: (...args) => store.dismiss(...args),
      stats: (...args) => store.stats(...args),
      list: (...args) => store.list(...args),
      count: (...args) => store.count(...args),
      prune: (...args) => store.prune(...args),
      ping: () => store.ping(),
      close: () => store.close(),
      get: () => Promise.reject(new Error('connection refused')),
    };
    const app = await startTransactionApp(inbox, (eventId, delivery) => workWell(eventId, delivery.complete));

    expect([await app.deliver(), await app.deliver()]).toEqual([500, 200]);
    expect(await countEffects()).toBe(1);
  });

  const REFUSALS: Record<
    string,
    () => Promise<{ query(text: string, values: unknown[]): Promise<unknown> }>
  > = {
    "the store's pool": async () => postgres.pool,
    'another pool': async () => {
      const pool = openPool();
      cleanUpAfterTest(() => pool.end());
      return pool;
    },
    'a pool whose every query uses another connection': async () => ({
      query: async (text: string, values: unknown[]) => {
        const client = await postgres.begin();
        const result = await client.query(text, values);
        await postgres.commit(client);
        return result;
      },
    }),
    'a client without a transaction': async () => {
      const client = new Client(url);
      await client.connect();
      cleanUpAfterTest(() => client.end());
      return client;
    },
    'a DataSource': async () => {
      const dataSource = await new DataSource({ type: 'postgres', url }).initialize();
      cleanUpAfterTest(() => dataSource.destroy());
      return dataSource;
    },
    'the EntityManager of a DataSource': async () => {
      const dataSource = await new DataSource({ type: 'postgres', url }).initialize();
      cleanUpAfterTest(() => dataSource.destroy());
      return dataSource.manager;
    },
  };

  it.each(Object.entries(REFUSALS))('refuses %s, and records nothing', async (_name, open) => {
    const client = await open();
    const app = await startTransactionApp(postgres.store, async (eventId, delivery) => {
      await client.query(insert(), [eventId]);
      await delivery.complete(client);
      throw new Error('after the record');
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(REFUSED);
    await postgres.pool.query(`TRUNCATE ${effects}`);
    app.work = (eventId, delivery) => workWell(eventId, delivery.complete);
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    expect(await countEffects()).toBe(1);
  });

  it('fails the run even if the refusal is swallowed', async () => {
    const app = await startTransactionApp(postgres.store, async (eventId, delivery) => {
      await postgres.pool.query(insert(), [eventId]);
      await delivery.complete(postgres.pool).catch(() => {});
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(NOT_COMMITTED);
  });

  it("refuses the store's own client even when a transaction is open on it", async () => {
    const client = new Client(url);
    await client.connect();
    cleanUpAfterTest(() => client.end());
    const inbox = new PostgresInboxStore({ application: 'test', client, schema: postgres.schema });
    const app = await startTransactionApp(inbox, async (eventId, delivery) => {
      await client.query('BEGIN');
      try {
        await client.query(insert(), [eventId]);
        await delivery.complete(client);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(REFUSED);
    expect(await countEffects()).toBe(0);
  });

  it('says that the transaction is aborted if it is', async () => {
    const app = await startTransactionApp(postgres.store, async (_eventId, delivery) => {
      const client = await postgres.begin();
      await client.query('SELECT 1 / 0').catch(() => {});
      await delivery.complete(client);
    });

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe('failed error');
  });
});

describeOnPglite();

function describeOnPglite(): void {
  it('delivery.complete refuses a PGlite instance, inside and outside of a transaction', async () => {
    const database = await PGlite.create();
    cleanUpAfterTest(() => database.close());
    const inbox = new PostgresInboxStore({ application: 'test', client: database });
    const app = await startTransactionApp(inbox, (_eventId, delivery) => delivery.complete(database));

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(REFUSED);
    app.work = (_eventId, delivery) => database.transaction(() => delivery.complete(database));
    expect(await app.deliver()).toBe(500);
    app.work = (_eventId, delivery) => database.transaction((tx) => delivery.complete(tx));
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
  }, 60_000);
}
