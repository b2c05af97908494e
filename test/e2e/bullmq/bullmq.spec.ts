import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { type INestApplication, Injectable } from '@nestjs/common';
import { type Job, Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type InboxStore,
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { BullMqTransport, type BullMqTransportOptions } from 'nestjs-scalekit-webhooks/bullmq';
import { type RedisInboxOptions, RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS, SECRET, startApp } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

/** A store whose methods work on the object that it was made of. */
function bound(store: InboxStore): InboxStore {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(Object.getPrototypeOf(target)) : value;
    },
  });
}

@Injectable()
class Handlers {
  readonly runs: string[] = [];
  failures: unknown[] = [];
  gate: Promise<void> = Promise.resolve();
  headers: ScalekitDelivery['headers'] = {};

  @OnScalekitEvent('user.created', { attempts: 3, backoff: 1 })
  async first(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    await this.gate;
    this.headers = delivery.headers;
    this.runs.push(`first ${event.data.user?.id} ${delivery.attempt}`);
    const failure = this.failures.shift();
    if (failure) throw failure;
  }

  @OnScalekitEvent('user.*')
  second(event: ScalekitEvent<'user.*'>): void {
    this.runs.push(`second ${event.type}`);
  }
}

await describeWithService('redis', 'BullMqTransport', (url) => {
  let prefix: string;
  let redis: Redis;
  let queue: Queue;
  let events: QueueEvents;
  const apps: INestApplication[] = [];

  beforeEach(async () => {
    prefix = `test-${randomUUID()}`;
    redis = new Redis(url, { maxRetriesPerRequest: null });
    queue = new Queue('scalekit', { connection: { url }, prefix });
    events = new QueueEvents('scalekit', { connection: { url }, prefix });
    await events.waitUntilReady();
  });

  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await events.close();
    await queue.obliterate({ force: true });
    await queue.close();
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
    await redis.quit();
  });

  async function start(
    options: Omit<BullMqTransportOptions, 'queue'> = {},
    adapter = ADAPTERS[0]?.[1],
    store: InboxStore = inbox(),
  ): Promise<{ app: INestApplication; handlers: Handlers; scalekit: ScalekitWebhookTester }> {
    if (!adapter) throw new Error('no adapter');
    const app = await startApp(adapter, {
      imports: [
        BullModule.forRoot({ connection: { url }, prefix }),
        ScalekitWebhooksModule.forRootAsync({
          imports: [BullModule.registerQueue({ name: 'scalekit' })],
          inject: [getQueueToken('scalekit')],
          useFactory: (injected: Queue) => ({
            signingSecret: SECRET,
            inbox: store,
            transport: new BullMqTransport({ queue: injected, ...options }),
          }),
        }),
      ],
      providers: [Handlers],
    });
    apps.push(app);
    return { app, handlers: app.get(Handlers), scalekit: new ScalekitWebhookTester(app) };
  }

  async function jobs(): Promise<Job[]> {
    return queue.getJobs(['waiting', 'active', 'delayed', 'completed', 'failed', 'prioritized']);
  }

  /** Waits until the queue reports that every job has ended. */
  async function allEnded(): Promise<void> {
    for (const job of await jobs()) await job.waitUntilFinished(events, 10_000).catch(() => {});
  }

  const inbox = (options: Partial<RedisInboxOptions> = {}) =>
    new RedisInboxStore({ client: redis, application: 'test', keyPrefix: `${prefix}-inbox`, ...options });
  const runsOf = async (eventId: string) => {
    const entry = await inbox().get({ endpoint: 'default', eventId });
    return Object.fromEntries((entry?.runs ?? []).map((run) => [run.handlerId, run]));
  };

  it.each(ADAPTERS)('answers 202 once Redis has a job for each handler, on %s', async (_name, adapter) => {
    const { scalekit, handlers } = await start({ worker: false }, adapter);
    const event = createScalekitEvent('user.created');

    const { status, body } = await scalekit.deliver(event);

    expect({ status, body }).toEqual({ status: 202, body: { received: true, status: 'accepted' } });
    expect((await jobs()).map(({ data }) => data.handlerId).sort()).toEqual([
      'Handlers.first',
      'Handlers.second',
    ]);
    expect(handlers.runs).toEqual([]);
    expect(await runsOf(event.id)).toMatchObject({
      'Handlers.first': { state: 'queued', attempts: 0 },
      'Handlers.second': { state: 'queued', attempts: 0 },
    });
  });

  it('lets another process run what a web process has queued', async () => {
    const web = await start({ worker: false });
    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });
    await web.scalekit.deliver(event);

    const worker = await start();
    await allEnded();

    expect(worker.handlers.runs.sort()).toEqual(['first usr_1 1', 'second user.created']);
    expect(web.handlers.runs).toEqual([]);
    expect(await runsOf(event.id)).toMatchObject({ 'Handlers.first': { state: 'done', attempts: 1 } });
  });

  it('answers a duplicate of a queued event with 202, without adding jobs', async () => {
    const { scalekit } = await start({ worker: false });

    const answers = await scalekit.deliverTwice(createScalekitEvent('user.created'));

    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(await jobs()).toHaveLength(2);
  });

  it('answers a duplicate of a finished event with 200', async () => {
    const { scalekit } = await start();
    const event = createScalekitEvent('user.created');
    await scalekit.deliver(event);
    await allEnded();

    expect((await scalekit.deliver(event)).body).toEqual({ received: true, status: 'duplicate' });
  });

  it('retries a failed run as often as the handler allows, and counts the attempts', async () => {
    const { scalekit, handlers } = await start();
    handlers.failures = [new Error('once'), new Error('twice')];
    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });

    await scalekit.deliver(event);
    await allEnded();

    expect(handlers.runs.filter((run) => run.startsWith('first'))).toEqual([
      'first usr_1 1',
      'first usr_1 2',
      'first usr_1 3',
    ]);
    expect(await runsOf(event.id)).toMatchObject({ 'Handlers.first': { state: 'done', attempts: 3 } });
  });

  it('records a run as dead when its last attempt fails', async () => {
    const { scalekit, handlers } = await start();
    handlers.failures = [new Error('one'), new Error('two'), new Error('three')];
    const event = createScalekitEvent('user.created');

    await scalekit.deliver(event);
    await allEnded();

    expect(await runsOf(event.id)).toMatchObject({
      'Handlers.first': { state: 'dead', attempts: 3, error: { name: 'Error', message: 'three' } },
      'Handlers.second': { state: 'done' },
    });
    expect(await queue.getFailedCount()).toBe(1);
  });

  it('records a run as dead at once if its handler throws NonRetryableEventError', async () => {
    const { scalekit, handlers } = await start();
    handlers.failures = [new NonRetryableEventError('not ours')];
    const event = createScalekitEvent('user.created');

    await scalekit.deliver(event);
    await allEnded();

    expect(await runsOf(event.id)).toMatchObject({ 'Handlers.first': { state: 'dead', attempts: 1 } });
  });

  it('runs a pruned event again, even if its finished jobs still exist', async () => {
    const { scalekit, handlers } = await start();
    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });
    await scalekit.deliver(event);
    await allEnded();
    await inbox().prune(new Date(Date.now() + 60_000));

    await scalekit.deliver(event);
    await allEnded();

    expect(handlers.runs.filter((run) => run.startsWith('first'))).toEqual([
      'first usr_1 1',
      'first usr_1 1',
    ]);
  });

  it.each(ADAPTERS)(
    'hands the headers on to its handlers, but no credential, on %s',
    async (_name, adapter) => {
      const { scalekit, handlers } = await start({}, adapter);
      await scalekit.deliver(createScalekitEvent('user.created'), {
        headers: {
          authorization: 'Bearer made-up-token',
          cookie: 'session=made-up',
          'proxy-authorization': 'Basic made-up',
          'x-tenant': 'acme',
        },
      });
      const stored = JSON.stringify(await jobs());
      await allEnded();

      expect(handlers.headers).toMatchObject({
        'content-type': 'application/json',
        'webhook-id': expect.any(String),
        'webhook-timestamp': expect.any(String),
        'x-tenant': 'acme',
      });
      const carried = Object.keys(handlers.headers);
      for (const name of ['authorization', 'cookie', 'proxy-authorization', 'webhook-signature']) {
        expect(carried).not.toContain(name);
      }
      expect(stored).not.toMatch(/made-up-token|session=|Basic /);
    },
  );

  it.each(ADAPTERS)('puts only ids and times into its jobs, on %s', async (_name, adapter) => {
    const { scalekit } = await start({ worker: false }, adapter);
    const event = createScalekitEvent('user.created');
    await scalekit.deliver(event);

    const [job] = await jobs();

    const { eventId, ...others } = job?.data ?? {};
    expect(eventId).toBe(event.id);
    expect(Object.keys(others).sort()).toEqual([
      'deliveryId',
      'endpoint',
      'handlerId',
      'leaseToken',
      'receivedAt',
    ]);
  });

  it('puts the event into its jobs if the inbox does not keep it, but no secret or signature', async () => {
    const store = inbox();
    const withoutDelivery = Object.assign(Object.create(store), { delivery: undefined });
    const { scalekit, handlers } = await start({}, undefined, bound(withoutDelivery));
    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });
    await scalekit.deliver(event);
    await allEnded();

    const [job] = await jobs();

    expect(JSON.parse(job?.data.body)).toEqual(JSON.parse(JSON.stringify(event)));
    expect(JSON.stringify(job)).not.toContain(SECRET.slice('whsec_'.length));
    expect(JSON.stringify(job)).not.toContain('v1,');
    expect(handlers.runs).toContain('first usr_1 1');
  });

  it('runs jobs of the version before, which contain the event', async () => {
    const web = await start({ worker: false });
    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });
    await web.scalekit.deliver(event);
    for (const job of await jobs()) {
      await job.updateData({ ...job.data, body: JSON.stringify(event), headers: { 'x-tag': 'a' } });
    }

    const { handlers } = await start();
    await allEnded();

    expect(handlers.runs.sort()).toEqual(['first usr_1 1', 'second user.created']);
  });

  it('makes runs dead whose payload was erased, even in jobs of the version before', async () => {
    const web = await start({ worker: false });
    const organization_id = 'org_1';
    const event = createScalekitEvent('user.created', { organization_id });
    const other = createScalekitEvent('user.created', { organization_id: 'org_2' });
    for (const one of [event, other]) await web.scalekit.deliver(one);
    for (const job of await jobs()) {
      const isOld = job.data.eventId === event.id && job.data.handlerId === 'Handlers.second';
      if (isOld) await job.updateData({ ...job.data, body: JSON.stringify(event) });
    }

    expect(await web.app.get(ScalekitInbox).erase({ organizationId: organization_id })).toBe(1);
    const { handlers } = await start();
    await allEnded();

    const dead = { state: 'dead', error: { name: 'PayloadErasedError', message: expect.any(String) } };
    expect(await runsOf(event.id)).toMatchObject({ 'Handlers.first': dead, 'Handlers.second': dead });
    expect(await runsOf(other.id)).toMatchObject({
      'Handlers.first': { state: 'done' },
      'Handlers.second': { state: 'done' },
    });
    expect(handlers.runs).toHaveLength(2);
    expect(await queue.getFailedCount()).toBe(2);
  });

  it('fails and retries runs whose payload cannot be decrypted, until the key is back', async () => {
    const [lost, known] = ['lost', 'known'].map((id, byte) => ({
      id,
      secret: Buffer.alloc(32, byte).toString('base64'),
    }));
    if (!lost || !known) throw new Error('no keys');
    const [event, other] = [createScalekitEvent('user.created'), createScalekitEvent('user.created')];
    for (const [one, key] of [
      [event, lost],
      [other, known],
    ] as const) {
      const web = await start({ worker: false }, undefined, inbox({ encryption: { keys: [key] } }));
      await web.scalekit.deliver(one);
    }
    const options = { attempts: 5, backoff: 60_000 };
    const worker = await start(options, undefined, inbox({ encryption: { keys: [known] } }));
    await until(
      async () => [await queue.getFailedCount(), await queue.getDelayedCount(), worker.handlers.runs.length],
      (counts) => counts.join() === '1,1,2',
    );

    const error = { name: 'PayloadUnreadableError', message: expect.stringContaining('"lost"') };
    expect(await runsOf(event.id)).toMatchObject({
      'Handlers.first': { state: 'dead', attempts: 3, error },
      'Handlers.second': { state: 'queued', attempts: 1, error },
    });
    expect((await queue.getFailed())[0]?.failedReason).toContain('PayloadUnreadableError');
    await worker.app.close();

    const fixed = await start(options, undefined, inbox({ encryption: { keys: [known, lost] } }));
    for (const job of await queue.getDelayed()) await job.promote();
    await allEnded();

    expect(fixed.handlers.runs).toEqual(['second user.created']);
    expect(await runsOf(event.id)).toMatchObject({ 'Handlers.second': { state: 'done', attempts: 2 } });
  });

  it('does not put the messages of errors into its jobs', async () => {
    const { scalekit, handlers } = await start();
    handlers.failures = [new NonRetryableEventError('no tenant for jane@example.com')];
    const event = createScalekitEvent('user.created');
    await scalekit.deliver(event);
    await allEnded();

    const [failed] = await queue.getFailed();

    expect(failed?.failedReason).toContain('NonRetryableEventError');
    expect(JSON.stringify(failed)).not.toContain('jane@example.com');
    expect(await runsOf(event.id)).toMatchObject({
      'Handlers.first': { error: { message: 'no tenant for jane@example.com' } },
    });
  });

  it('makes a run dead whose entry the inbox no longer has', async () => {
    const web = await start({ worker: false });
    const event = createScalekitEvent('user.created');
    await web.scalekit.deliver(event);
    await inbox().prune(new Date(Date.now() + 60_000));

    const { handlers } = await start();
    await allEnded();

    expect(handlers.runs).toEqual([]);
    expect(await runsOf(event.id)).toEqual({});
    expect(await queue.getFailedCount()).toBe(2);
  });

  it('creates job ids that BullMQ accepts, whatever the event id is', async () => {
    const { scalekit } = await start({ worker: false });

    expect((await scalekit.deliver(createScalekitEvent('user.created', { id: 'evt:1:2/{x}' }))).status).toBe(
      202,
    );
  });

  it('finishes the run in progress before it closes', async () => {
    const { app, scalekit, handlers } = await start();
    const { promise, resolve } = deferred<void>();
    handlers.gate = promise;
    const event = createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } });
    await scalekit.deliver(event);

    const closed = app.close();
    resolve();
    await closed;
    apps.length = 0;

    const first = (await runsOf(event.id))['Handlers.first'];
    expect(['done', 'queued']).toContain(first?.state);
    expect(handlers.runs.filter((run) => run.startsWith('first'))).toHaveLength(
      first?.state === 'done' ? 1 : 0,
    );
  });

  it('fails at startup with an inbox that only one process can see', async () => {
    const module = ScalekitWebhooksModule.forRoot({
      signingSecret: SECRET,
      transport: new BullMqTransport({ queue }),
    });

    await expect(startApp(ADAPTERS[0]?.[1] as never, { imports: [module] })).rejects.toThrow(
      /inbox.*Postgres|Postgres/,
    );
  });
});
