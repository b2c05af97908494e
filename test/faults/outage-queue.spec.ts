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
import { deferred } from '../helpers/deferred.js';
import { describeWithRedisServers, RedisServer } from '../helpers/redis-server.js';
import { runOnExpress } from '../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../helpers/scripted-app.js';
import { openSqlite, sqliteFile } from '../helpers/sqlite-files.js';
import { SECRET } from '../helpers/test-app.js';
import { redisOutages } from './helpers/redis-outages.js';
import { undoAfterTest } from './helpers/tidy.js';
import { until } from './helpers/until.js';

// Long enough that a delivery to healthy services is in time on a busy machine, short enough to wait for when they hang.
const HANDLER_TIMEOUT_MS = 1500;

describeWithRedisServers('With a queue', () => {
  let server: RedisServer;
  let queue: Queue;

  beforeAll(async () => {
    server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
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
    undoAfterTest(() => opened.close());
    await opened.waitUntilReady();
    return opened;
  }

  const transportOf = (given: Queue) =>
    new BullMqTransport({
      queue: given,
      worker: { lockDuration: 1500, stalledInterval: 500 },
      attempts: 1,
      handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    });

  async function start(inbox?: InboxStore) {
    const app = await startScriptedApp(() => new ExpressAdapter(), {
      inbox: inbox ?? new SqliteInboxStore({ database: openSqlite(await sqliteFile()) }),
      transport: transportOf(queue),
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
    const whenWorkedOff = () =>
      until(
        () => queue.getJobCounts('wait', 'active', 'delayed'),
        (counts) => Object.values(counts).every((count) => count === 0),
      );
    const accepted = (event: object) =>
      until(
        async () => (await app.scalekit.deliver(event)).status,
        (status) => status < 300,
      );
    const calls = () => [app.first.mock.calls.length, app.second.mock.calls.length];
    return { ...app, statesOf, whenDone, whenWorkedOff, accepted, calls };
  }

  describe('whose Redis', () => {
    it.each(['is down', 'hangs', 'is full'])(
      '%s, a delivery is answered with 503 meanwhile',
      async (ailment) => {
        const outages = await redisOutages(server);
        const { scalekit, accepted, whenDone, whenWorkedOff, calls } = await start();
        const event = aUserCreated();
        const cures: Record<string, () => Promise<() => unknown>> = {
          'is down': () => server.kill().then(() => () => server.launch()),
          hangs: async () => outages.hang(),
          'is full': () => outages.fill(),
        };
        const cure = await cures[ailment]?.();

        const { status, headers } = await scalekit.deliver(event);
        expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
        expect(calls()).toEqual([0, 0]);

        await cure?.();
        await accepted(event);
        await whenDone(event);
        await whenWorkedOff();
        expect(calls()).toEqual([1, 1]);
        expect(await queue.getFailedCount()).toBe(0);
      },
    );

    it('goes down while a job runs, the run counts and is not repeated', async () => {
      const { scalekit, first, whenDone, whenWorkedOff, calls } = await start();
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
      await whenWorkedOff();
      expect(calls()).toEqual([1, 1]);
    });

    it('is down, the application closes all the same', async () => {
      const { app } = await start();
      await server.kill();

      await app.close();

      expect(app.getHttpServer().listening).toBe(false);
    });
  });

  it('whose ledger goes down, no job is lost, though it has but one attempt', async () => {
    const ledgerServer = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
    undoAfterTest(() => ledgerServer.stop());
    const client = new Redis(ledgerServer.port, '127.0.0.1', {
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
    });
    client.on('error', () => {});
    undoAfterTest(() => client.disconnect());
    const { scalekit, first, second, whenDone } = await start(new RedisInboxStore({ client }));
    // One job has run and finds no ledger to settle in; the other finds none to claim from.
    const answered = deferred();
    first.mockImplementationOnce(() => answered.promise.then(() => ledgerServer.kill()));
    const event = aUserCreated();
    expect((await scalekit.deliver(event)).status).toBe(202);
    answered.resolve();
    await until(
      () => queue.getJobCounts('failed', 'delayed'),
      ({ failed = 0, delayed = 0 }) => failed + delayed === 2,
    );
    await ledgerServer.launch();

    await whenDone(event);
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([2, 1]);
  });

  it('that two endpoints fill, each through a transport of its own, none works in vain for the other', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    const ran: string[] = [];
    class Handlers {
      @OnScalekitEvent('user.created')
      handle(_event: unknown, { endpoint }: ScalekitDelivery) {
        ran.push(endpoint);
      }
    }
    // `BullModule.registerQueue()` in two places makes two objects of one queue, too.
    const endpoint = async (name: string) =>
      ScalekitWebhooksModule.forRoot({
        name,
        path: name,
        signingSecret: SECRET,
        inbox,
        transport: transportOf(await openQueue({ prefix: String(queue.opts.prefix) })),
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

  it('whose workers no longer have the handler of a job, its row is as dead as the job in the end', async () => {
    const inbox = new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
    class Former {
      @OnScalekitEvent('user.created')
      handle() {}
    }
    const release = (transport: BullMqTransport, providers: Type[]) =>
      runOnExpress({
        imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, inbox, transport })],
        providers,
      });
    const former = await release(new BullMqTransport({ queue, worker: false, attempts: 2, backoff: 1 }), [
      Former,
    ]);
    const event = aUserCreated();
    expect((await new ScalekitWebhookTester(former).deliver(event)).status).toBe(202);

    await release(transportOf(queue), []);
    await until(
      () => queue.getFailedCount(),
      (count) => count === 1,
    );
    expect(await inbox.list()).toMatchObject({
      entries: [{ runs: [{ state: 'dead', error: { message: expect.stringContaining('Former.handle') } }] }],
    });
  });
});
