import { randomUUID } from 'node:crypto';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from 'nestjs-scalekit-webhooks/postgres';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { passTime } from '../../helpers/postgres.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { RedisCluster } from '../../helpers/redis-server.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithServers, describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';

/** What holds for two applications that share a database: endpoints, handlers and events have the same names. */
function describeApplications(open: (application: string) => InboxStore): void {
  let billing: InboxStore;
  let shipping: InboxStore;

  beforeEach(() => {
    billing = open(`billing-${randomUUID()}`);
    shipping = open(`shipping-${randomUUID()}`);
  });

  it.each(ADAPTERS)('each run their handlers, on %s', async (_name, adapter) => {
    const first = await startScriptedApp(adapter, { inbox: billing });
    const second = await startScriptedApp(adapter, { inbox: shipping });
    const event = aUserCreated();

    const answers = [
      await first.scalekit.deliver(event),
      await second.scalekit.deliver(event),
      await second.scalekit.deliver(event),
    ];

    expect(answers.map(({ status }) => status)).toEqual([201, 201, 200]);
    expect([first.first.mock.calls.length, second.first.mock.calls.length]).toEqual([1, 1]);
  });

  it('give their handlers different idempotency keys', async () => {
    const [, adapter] = ADAPTERS[0] ?? [];
    if (!adapter) throw new Error('There is no adapter');
    const event = aUserCreated();
    const keys: (string | undefined)[] = [];
    for (const inbox of [billing, shipping]) {
      const { scalekit, first } = await startScriptedApp(adapter, { inbox });
      await scalekit.deliver(event);
      keys.push(first.mock.calls[0]?.[1].idempotencyKey);
    }

    expect(new Set(keys.filter((key) => key !== undefined)).size).toBe(2);
  });

  it('settle, reopen and read only their own runs', async () => {
    const event = anEvent();
    const lease = aLease();
    await billing.claim({ ...event, payload: Buffer.from('"billing"') }, ['A.run'], lease);
    await shipping.claim({ ...event, payload: Buffer.from('"shipping"') }, ['A.run'], lease);

    await billing.settle(event, [{ handlerId: 'A.run', state: 'dead' }], lease);
    expect(await shipping.get(event)).toMatchObject({ runs: [{ state: 'running' }] });
    await shipping.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
    await shipping.reopen(event, ['A.run']);

    expect(await billing.get(event)).toMatchObject({ runs: [{ state: 'dead' }] });
    expect(await shipping.get(event)).toMatchObject({ runs: [{ state: 'failed' }] });
    expect(Buffer.from((await billing.payload(event)) ?? []).toString()).toBe('"billing"');
    expect(Buffer.from((await shipping.payload(event)) ?? []).toString()).toBe('"shipping"');
  });

  it('list, count and prune only their own events', async () => {
    const shared = anEvent();
    const own = anEvent();
    for (const [store, events] of [
      [billing, [shared, own]],
      [shipping, [shared]],
    ] as const) {
      const lease = aLease();
      for (const event of events) {
        await store.claim(event, ['A.run'], lease);
        await store.settle(event, [{ handlerId: 'A.run', state: 'dead' }], lease);
      }
    }
    const read = async (store: InboxStore) => [
      (await store.list({ state: 'dead' })).entries.map(({ eventId }) => eventId),
      await store.count(),
      await store.count({ state: 'dead' }),
    ];

    expect(await read(billing)).toEqual([[shared.eventId, own.eventId], 2, 2]);
    expect(await read(shipping)).toEqual([[shared.eventId], 1, 1]);
    expect(await shipping.prune(new Date('2999-01-01'))).toBe(1);
    expect(await read(billing)).toEqual([[shared.eventId, own.eventId], 2, 2]);
    expect(await read(shipping)).toEqual([[], 0, 0]);
  });
}

await describeWithService('postgres', 'Applications that share a Postgres', () => {
  const postgres = PostgresFixture.use();

  describeApplications(openOnPostgres);

  it('forget only their own events after retentionMs', async () => {
    const [event, later] = [anEvent(), anEvent()];
    const [billing, shipping] = [openOnPostgres('billing'), openOnPostgres('shipping', { retentionMs: 500 })];
    for (const store of [billing, shipping]) await store.claim(event, [], aLease());
    await passTime(postgres.pool, postgres.schema, 1000);

    const restarted = openOnPostgres('shipping', { retentionMs: 500 });
    await restarted.claim(later, [], aLease());
    await restarted.close();

    expect(await shipping.get(event)).toBeUndefined();
    expect(await billing.get(event)).toBeDefined();
  });

  function openOnPostgres(application: string, options: { retentionMs?: number } = {}): PostgresInboxStore {
    return new PostgresInboxStore({
      client: postgres.pool,
      application,
      schema: postgres.schema,
      ...options,
    });
  }
});

describe('Applications that share a PGlite', () => {
  let client: PGlite;

  beforeAll(async () => {
    client = await PGlite.create();
  }, 60_000);

  afterAll(() => client.close());

  describeApplications((application) => new PostgresInboxStore({ client, application }));
});

await describeWithService('redis', 'Applications that share a Redis', (url) => {
  const keyPrefix = `test:${randomUUID()}`;
  let client: Redis;

  beforeAll(() => {
    client = new Redis(url);
  });

  afterAll(async () => {
    for (const key of await client.keys(`${keyPrefix}:*`)) await client.del(key);
    await client.quit();
  });

  describeApplications((application) => new RedisInboxStore({ client, application, keyPrefix }));
});

describeWithServers('redis', 'Applications that share a Redis Cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);

  afterAll(() => cluster.stop());

  describeApplications((application) => new RedisInboxStore({ client: cluster.client, application }));
});
