import './helpers/timeout.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Queue, type QueueOptions } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type InboxStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { cleanUpAfterTest } from '../helpers/cleanup.js';
import { deferred } from '../helpers/deferred.js';
import { DURABLE, RedisServer } from '../helpers/redis-server.js';
import { runOnExpress } from '../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../helpers/scripted-app.js';
import { SECRET } from '../helpers/secrets.js';
import { describeWithServers } from '../helpers/services.js';
import { openSqlite, sqliteFile } from '../helpers/sqlite-files.js';
import { until } from '../helpers/until.js';
import { redisOutages } from './helpers/redis-outages.js';

// Long enough for a delivery on a busy machine, short enough to wait for when a service hangs.
const HANDLER_TIMEOUT_MS = 1500;

describeWithServers('redis', 'With a queue', () => {
  let server: RedisServer;
  let queue: Queue;

  beforeAll(async () => {
    server = await RedisServer.start(...DURABLE);
  });

  afterAll(() => server.stop());

  beforeEach(async () => {
    await server.launchIfDown();
    queue = await openQueue({ prefix: `test-${randomUUID()}` });
  });

  async function openQueue(options: Pick<QueueOptions, 'prefix'>): Promise<Queue> {
    const connection = { host: '127.0.0.1', port: server.port, retryStrategy: () => 20 };
    const opened = new Queue('scalekit', { connection, ...options });
    opened.on('error', () => {});
    cleanUpAfterTest(() => opened.close());
    await opened.waitUntilReady();
    return opened;
  }

  const transportFor = (ownQueue: Queue) =>
    new BullMqTransport({
      queue: ownQueue,
      worker: { lockDuration: 1500, stalledInterval: 500 },
      attempts: 1,
      handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    });

  async function start(inbox?: InboxStore) {
    const app = await startScriptedApp(() => new ExpressAdapter(), {
      inbox: inbox ?? new SqliteInboxStore({ database: openSqlite(await sqliteFile()) }),
      transport: transportFor(queue),
      handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    });
    const statesOf = async ({ id: eventId }: { id: string }) => {
      const entry = await app.inbox.get({ endpoint: 'default', eventId });
      return entry?.runs.map(({ state }) => state) ?? [];
    };
    const whenDone = (event: { id: string }) =>
      until(
        () => statesOf(event),
        (states) => states.length === 2 && states.every((state) => state === 'done'),
      );
    const whenDrained = () =>
      until(
        () => queue.getJobCounts('wait', 'active', 'delayed'),
        (counts) => Object.values(counts).every((count) => count === 0),
      );
    const untilAccepted = (event: object) =>
      until(
        async () => (await app.scalekit.deliver(event)).status,
        (status) => status < 300,
      );
    const calls = () => [app.first.mock.calls.length, app.second.mock.calls.length];
    return { ...app, statesOf, whenDone, whenDrained, untilAccepted, calls };
  }

  describe('if its Redis', () => {
    it.each(['is down', 'hangs', 'is full'])('%s, deliveries are answered with 503', async (outage) => {
      const outages = await redisOutages(server);
      const { scalekit, untilAccepted, whenDone, whenDrained, calls } = await start();
      const event = aUserCreated();
      const begin: Record<string, () => Promise<() => unknown>> = {
        'is down': () => server.kill().then(() => () => server.launch()),
        hangs: async () => outages.hang(),
        'is full': () => outages.fill(),
      };
      const repair = await begin[outage]?.();

      const { status, headers } = await scalekit.deliver(event);
      expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
      expect(calls()).toEqual([0, 0]);

      await repair?.();
      await untilAccepted(event);
      await whenDone(event);
      await whenDrained();
      expect(calls()).toEqual([1, 1]);
      expect(await queue.getFailedCount()).toBe(0);
    });

    it('goes down while a job runs, the run is recorded and not repeated', async () => {
      const { scalekit, first, whenDone, whenDrained, calls } = await start();
      const [gate, started] = [deferred(), deferred()];
      first.mockImplementation(async () => {
        started.resolve();
        await gate.promise;
      });
      const event = aUserCreated();
      expect((await scalekit.deliver(event)).status).toBe(202);
      await started.promise;
      await server.kill();
      gate.resolve();
      await server.launch();

      await whenDone(event);
      await whenDrained();
      expect(calls()).toEqual([1, 1]);
    });

    it('is down, the application still closes', async () => {
      const { app } = await start();
      await server.kill();

      await app.close();

      expect(app.getHttpServer().listening).toBe(false);
    });
  });

  it('no job is lost if the inbox goes down, even with a single attempt', async () => {
    const inboxServer = await RedisServer.start(...DURABLE);
    cleanUpAfterTest(() => inboxServer.stop());
    const client = new Redis(inboxServer.port, '127.0.0.1', {
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
    });
    client.on('error', () => {});
    cleanUpAfterTest(() => client.disconnect());
    const { scalekit, first, second, whenDone } = await start(
      new RedisInboxStore({ client, application: 'shop' }),
    );
    // One job has run, but cannot be settled. The other cannot be claimed.
    const responded = deferred();
    first.mockImplementationOnce(() => responded.promise.then(() => inboxServer.kill()));
    const event = aUserCreated();
    expect((await scalekit.deliver(event)).status).toBe(202);
    responded.resolve();
    // The worker tries to settle the one until its lease ends, and puts the other back again and again.
    const putBack = new Set<string | undefined>();
    await until(
      async () => {
        for (const { id } of await queue.getDelayed()) putBack.add(id);
        return putBack.size;
      },
      (count) => count === 2,
    );
    await inboxServer.launch();

    await whenDone(event);
    expect(await queue.getFailedCount()).toBe(0);
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([2, 1]);
  });

  it('two endpoints can share the queue, each with its own transport, and work only on their own jobs', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    const ran: string[] = [];
    class Handlers {
      @OnScalekitEvent('user.created')
      handle(_event: unknown, { endpoint }: ScalekitDelivery) {
        ran.push(endpoint);
      }
    }
    // Calling `BullModule.registerQueue()` in two modules also creates two objects for one queue.
    const endpoint = async (name: string) =>
      ScalekitWebhooksModule.forRoot({
        name,
        path: name,
        signingSecret: SECRET,
        inbox,
        transport: transportFor(await openQueue({ prefix: String(queue.opts.prefix) })),
      });
    const app = await runOnExpress({
      imports: [await endpoint('eu'), await endpoint('us')],
      providers: [Handlers],
    });
    const events = [aUserCreated(), aUserCreated()];

    for (const event of events) {
      for (const name of ['eu', 'us']) {
        const { status } = await new ScalekitWebhookTester(app, { endpoint: name }).deliver(event);
        expect(status).toBe(202);
      }
    }
    await until(
      () => queue.getJobCounts('wait', 'active', 'delayed'),
      (counts) => Object.values(counts).every((count) => count === 0),
    );
    const jobs = await queue.getJobs('completed');
    expect(jobs.map(({ attemptsStarted }) => attemptsStarted)).toEqual([1, 1, 1, 1]);
    expect(await inbox.count({ state: 'done' })).toBe(4);
    expect(ran.toSorted()).toEqual(['eu', 'eu', 'us', 'us']);
  });

  it('a run becomes dead together with its job if the workers no longer have its handler', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    class Removed {
      @OnScalekitEvent('user.created')
      handle() {}
    }
    class Kept {
      @OnScalekitEvent('user.deleted')
      handle() {}
    }
    const release = (transport: BullMqTransport, providers: Type[]) =>
      runOnExpress({
        imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, transport })],
        providers,
      });
    const before = await release(new BullMqTransport({ queue, worker: false, attempts: 2, backoff: 1 }), [
      Removed,
      Kept,
    ]);
    const event = aUserCreated();
    expect((await new ScalekitWebhookTester(before).deliver(event)).status).toBe(202);

    await release(transportFor(queue), [Kept]);
    await until(
      () => queue.getFailedCount(),
      (count) => count === 1,
    );
    expect(await inbox.list()).toMatchObject({
      entries: [{ runs: [{ state: 'dead', error: { message: expect.stringContaining('Removed.handle') } }] }],
    });
  });
});
