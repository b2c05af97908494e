import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisInboxError, RedisInboxStore } from '../../../lib/redis/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { DURABLE, RedisServer } from '../../helpers/redis-server.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithServers } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';

function connect({ port }: RedisServer): Redis {
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0, retryStrategy: () => 20 });
  // Without a listener, ioredis prints every failed attempt to connect.
  client.on('error', () => {});
  return client;
}

describeWithServers('redis', 'RedisInboxStore', () => {
  let server: RedisServer;
  let client: Redis;
  let store: RedisInboxStore;

  beforeAll(async () => {
    server = await RedisServer.start(...DURABLE);
  });

  beforeEach(async () => {
    await server.launchIfDown();
    client = connect(server);
    store = new RedisInboxStore({ client, application: 'test' });
    await client.flushall();
  });

  afterEach(() => client.disconnect());

  afterAll(() => server.stop());

  describe('on a server that has lost its scripts', () => {
    it('claims and settles as before', async () => {
      const [event, lease] = [anEvent(), aLease()];
      await store.claim(event, ['A.run'], lease);
      await client.script('FLUSH');

      expect((await store.claim(event, ['A.run'], aLease())).get('A.run')?.state).toBe('running');
      await client.script('FLUSH');
      expect(await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual(['A.run']);
    });

    it('gives each handler to one of 50 claimers at once', async () => {
      const event = anEvent();
      await client.script('FLUSH');

      const answers = await Promise.all(
        Array.from({ length: 50 }, () => store.claim(event, ['A.run'], aLease())),
      );

      expect(answers.filter((claims) => claims.get('A.run')?.state === 'claimed')).toHaveLength(1);
    });
  });

  describe('after the server was killed', () => {
    it('rejects until the server is back, and has lost nothing then', async () => {
      const [event, lease] = [anEvent(), aLease()];
      await store.claim(event, ['A.run', 'B.run'], lease);
      await store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
      await server.kill();

      await expect(store.ping()).rejects.toBeInstanceOf(RedisInboxError);
      await expect(store.claim(event, ['A.run'], aLease())).rejects.toMatchObject({
        code: 'redis_inbox_failed',
      });
      const ready = new Promise((resolve) => client.once('ready', resolve));
      await server.launch();
      await ready;

      const claims = await store.claim(event, ['A.run', 'B.run'], aLease());
      expect(claims.get('A.run')).toEqual({ state: 'done' });
      expect(claims.get('B.run')?.state).toBe('running');
      expect(await store.payload(event)).toEqual(event.payload);
    });

    it.each(ADAPTERS)(
      'makes %s respond with 503, and the retry runs what is not done',
      async (_name, adapter) => {
        // A claim is tried again until the deadline, so the 503 comes that late.
        const options = { inbox: store, handlerTimeoutMs: 1500 };
        const { scalekit, first } = await startScriptedApp(adapter, options);
        const event = aUserCreated();
        await server.kill();

        expect((await scalekit.deliver(event)).status).toBe(503);
        expect(first).not.toHaveBeenCalled();
        const ready = new Promise((resolve) => client.once('ready', resolve));
        await server.launch();
        await ready;

        expect((await scalekit.deliver(event)).status).toBe(201);
        expect((await scalekit.deliver(event)).status).toBe(200);
        expect(first).toHaveBeenCalledTimes(1);
      },
    );
  });

  it('says why Redis refused a command, without the payload', async () => {
    await client.config('SET', 'maxmemory', '1');
    const error: unknown = await store.claim(anEvent(), ['A.run'], aLease()).catch((reason) => reason);
    await client.config('SET', 'maxmemory', '0');

    expect(error).toMatchObject({ message: expect.stringContaining('OOM') });
    expect(inspect(error, { depth: 10 })).not.toMatch(/payload-marker|7061796c6f6164|70 61 79 6c/);
  });
});
