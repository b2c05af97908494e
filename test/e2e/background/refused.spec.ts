import { describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import {
  type InboxStore,
  InboxTransport,
  MemoryInboxStore,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { INBOX_METHODS } from '../../../lib/inbox/inbox-work.js';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { run } from '../../helpers/running-app.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS, type AdapterFactory, SECRET } from '../../helpers/test-app.js';
import { FAST, Handlers, startHandlers, untilRuns } from './background-app.js';

/** A store of the application's own, without what workers need. */
function ownStore(): InboxStore {
  const store = new MemoryInboxStore();
  class OwnStore {}
  const bound = INBOX_METHODS.map((method) => [method, Reflect.get(store, method).bind(store)]);
  return Object.assign(new OwnStore(), Object.fromEntries(bound));
}

function redisStore(): RedisInboxStore {
  const client = new Redis({ lazyConnect: true });
  cleanUpAfterTest(() => client.disconnect());
  return new RedisInboxStore({ client, application: 'test' });
}

const sqliteStore = async () => new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });

describe.each(ADAPTERS)('background work from the inbox, on %s', (_name, adapter: AdapterFactory) => {
  const start = (options: ScalekitWebhooksOptions) =>
    run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
      providers: [Handlers],
    });

  it.each([{ transport: new InboxTransport() }, { retryFailed: true }])(
    'is refused with a Redis inbox, which has BullMQ: %j',
    async (options) => {
      await expect(start({ inbox: redisStore(), ...options })).rejects.toMatchObject({
        setting: 'inbox',
        message: expect.stringMatching(/from RedisInboxStore, .*With a RedisInboxStore, use BullMqTransport/),
      });
    },
  );

  it.each([{ transport: new InboxTransport() }, { retryFailed: true }])(
    'is refused with a store that lacks the methods, which it names: %j',
    async (options) => {
      await expect(start({ inbox: ownStore(), ...options })).rejects.toMatchObject({
        setting: 'inbox',
        message: expect.stringMatching(
          /from OwnStore, because it has no enqueue\(\), takeDue\(\).*InboxWorkStore/,
        ),
      });
    },
  );

  it('is refused in memory if this process has no worker, since no other process could', async () => {
    await expect(start({ transport: new InboxTransport({ worker: false }) })).rejects.toMatchObject({
      setting: 'inbox',
    });
  });

  it('refuses retryFailed with a transport, which retries itself', async () => {
    const inbox = await sqliteStore();

    await expect(start({ inbox, transport: new InboxTransport(), retryFailed: true })).rejects.toMatchObject({
      setting: 'retryFailed',
    });
  });

  it('refuses retryFailed in memory, which forgets', async () => {
    await expect(start({ retryFailed: true })).rejects.toMatchObject({ setting: 'retryFailed' });
  });

  it('cannot be paused without workers that take runs from the inbox', async () => {
    const { inbox } = await startHandlers({ inbox: await sqliteStore() }, adapter);

    for (const call of [() => inbox.pause(), () => inbox.resume(), () => inbox.isPaused()]) {
      await expect(call()).rejects.toMatchObject({
        setting: 'transport',
        message: expect.stringContaining('use an InboxTransport. BullMQ has queue.pause()'),
      });
    }
  });

  it('works in memory, with a warning', async () => {
    const inbox = new MemoryInboxStore();
    const { scalekit, handlers, logger } = await startHandlers(
      { inbox, transport: new InboxTransport(FAST) },
      adapter,
    );
    const event = createScalekitEvent('user.created');

    expect((await scalekit.deliver(event)).status).toBe(202);

    await untilRuns(inbox, event.id, 'done');
    expect(handlers.deliveries[0]?.headers).toHaveProperty('webhook-id');
    expect(logger.ours('warn')).toEqual([expect.stringMatching(/the memory inbox forgets the runs/)]);
  });
});

describe('a worker process without HTTP', () => {
  it('runs what another process has stored', async () => {
    const file = await sqliteFile();
    const open = () => new SqliteInboxStore({ database: openSqlite(file) });
    const inbox = open();
    const web = await startHandlers({ inbox, transport: new InboxTransport({ worker: false }) });
    const event = createScalekitEvent('user.created');
    await web.scalekit.deliver(event);

    const module = ScalekitWebhooksModule.forRoot({
      signingSecret: SECRET,
      inbox: open(),
      transport: new InboxTransport(FAST),
    });
    const worker = { module: class WorkerModule {}, imports: [module], providers: [Handlers] };
    const context = await NestFactory.createApplicationContext(worker, { logger: false });
    cleanUpAfterTest(() => context.close());

    await untilRuns(inbox, event.id, 'done');
    expect(context.get(Handlers).runs).toHaveLength(2);
  });

  it('must have handlers', async () => {
    const module = ScalekitWebhooksModule.forRoot({
      signingSecret: SECRET,
      inbox: await sqliteStore(),
      transport: new InboxTransport(),
    });
    const worker = { module: class WorkerModule {}, imports: [module] };

    const starting = NestFactory.createApplicationContext(worker, { logger: false, abortOnError: false });

    await expect(starting).rejects.toMatchObject({ setting: 'transport' });
  });
});
