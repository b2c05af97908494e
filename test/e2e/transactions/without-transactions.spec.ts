import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import type { PoolClient } from 'pg';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { describeWithService } from '../../helpers/services.js';
import { startTransactionApp } from './transaction-app.js';

const NOT_COMMITTED = 'failed TransactionNotCommittedError';
const REFUSED = 'failed ScalekitWebhooksConfigurationError';

describe('On the memory inbox', () => {
  it('delivery.transaction runs the work, and records it', async () => {
    const work: string[] = [];
    const { deliver, run } = await startTransactionApp(new MemoryInboxStore(), (eventId, delivery) =>
      delivery.transaction(async () => {
        work.push(eventId);
      }),
    );

    expect([await deliver(), await deliver()]).toEqual([201, 200]);
    expect([await run(), work.length]).toEqual(['done', 1]);
  });

  it('delivery.transaction fails with the work', async () => {
    const app = await startTransactionApp(new MemoryInboxStore(), (_eventId, delivery) =>
      delivery.transaction(async () => Promise.reject(new Error('broken'))).catch(() => {}),
    );

    expect(await app.deliver()).toBe(500);
    expect(await app.run()).toBe(NOT_COMMITTED);
    app.work = (_eventId, delivery) => delivery.transaction(async () => {});
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
  });

  it('a handler that uses its transaction learns how to open one', async () => {
    let message = '';
    const { deliver, run } = await startTransactionApp(new MemoryInboxStore(), (_eventId, delivery) =>
      delivery
        .transaction((client: PoolClient) => client.query('SELECT 1'))
        .catch((error) => {
          message = error.message;
          throw error;
        }),
    );

    expect(await deliver()).toBe(500);
    expect(await run()).toBe(REFUSED);
    expect(message).toContain('new MemoryInboxStore({ transaction:');
  });

  it('delivery.complete records the run when it is called, with any client', async () => {
    const { deliver, run } = await startTransactionApp(new MemoryInboxStore(), (_eventId, delivery) =>
      delivery.complete({ query() {} }),
    );

    expect([await deliver(), await deliver()]).toEqual([201, 200]);
    expect(await run()).toBe('done');
  });

  it('a handler that fails after delivery.complete runs again, since the record is not part of its transaction', async () => {
    const app = await startTransactionApp(new MemoryInboxStore(), async (_eventId, delivery) => {
      await delivery.complete({ prepare() {} });
      throw new Error('the commit failed');
    });

    expect(await app.deliver()).toBe(500);
    app.work = async () => {};
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
  });

  it.each([undefined, null, 'tx', 1])('delivery.complete refuses %j', async (transaction) => {
    const { deliver, run } = await startTransactionApp(new MemoryInboxStore(), (_eventId, delivery) =>
      delivery.complete(transaction as never),
    );

    expect(await deliver()).toBe(500);
    expect(await run()).toBe(REFUSED);
  });

  it.each([null, 'tx', {}])('refuses %j as the option transaction', (transaction) => {
    expect(() => new MemoryInboxStore({ transaction: transaction as never })).toThrow(
      expect.objectContaining({ setting: 'transaction' }),
    );
  });
});

await describeWithService('postgres', 'On the memory inbox, with a database of your own', () => {
  const postgres = PostgresFixture.use();

  it('delivery.transaction uses the transactions that you open', async () => {
    const effects = `"${postgres.schema}".effects`;
    await postgres.pool.query(`CREATE TABLE ${effects} (event_id text)`);
    const inbox = new MemoryInboxStore({
      async transaction(work) {
        const client = await postgres.begin();
        try {
          const result = await work(client);
          await postgres.commit(client);
          return result;
        } catch (error) {
          await postgres.rollback(client);
          throw error;
        }
      },
    });
    const insert = (client: PoolClient, id: string) =>
      client.query(`INSERT INTO ${effects} VALUES ($1)`, [id]);
    const app = await startTransactionApp(inbox, (eventId, delivery) =>
      delivery.transaction(async (client: PoolClient) => {
        await insert(client, eventId);
        throw new Error('broken');
      }),
    );

    expect(await app.deliver()).toBe(500);
    app.work = (eventId, delivery) =>
      delivery.transaction(async (client: PoolClient) => {
        await insert(client, eventId);
      });
    expect([await app.deliver(), await app.deliver()]).toEqual([201, 200]);
    expect((await postgres.pool.query(`SELECT FROM ${effects}`)).rows).toHaveLength(1);
  });
});

await describeWithService('redis', 'On the Redis inbox', (url) => {
  it.each(['transaction', 'complete'] as const)('delivery.%s says what to use instead', async (method) => {
    const client = new Redis(url);
    const { store, dispose } = redisInboxHarness(client);
    cleanUpAfterTest(() => client.quit());
    cleanUpAfterTest(dispose);
    let message = '';
    const { deliver, run } = await startTransactionApp(store, (_eventId, delivery) => {
      const called =
        method === 'complete' ? delivery.complete({ query() {} }) : delivery.transaction(async () => {});
      return called.catch((error) => {
        message = error.message;
      });
    });

    expect(await deliver()).toBe(500);
    expect(await run()).toBe(NOT_COMMITTED);
    expect(message).toBe(
      `delivery.${method}() cannot work with RedisInboxStore, because it has no transactions. Use PostgresInboxStore or SqliteInboxStore, or make the handler's effect safe to repeat with delivery.idempotencyKey.`,
    );
  });
});
