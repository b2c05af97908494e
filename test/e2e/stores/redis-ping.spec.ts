import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { type RedisClientLike, RedisInboxError, RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { RedisCluster, RedisServer } from '../../helpers/redis-server.js';
import { describeWithServers } from '../../helpers/services.js';

const RETRY = { maxRetriesPerRequest: 0, retryStrategy: () => null };

describeWithServers('redis', 'The ping of RedisInboxStore', () => {
  let server: RedisServer;
  let admin: Redis;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  beforeEach(() => {
    admin = new Redis(server.port, '127.0.0.1');
  });

  afterEach(async () => {
    await admin.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    admin.disconnect();
  });

  afterAll(() => server.stop());

  function connect(options: RedisOptions = {}, { port } = server): Redis {
    const client = new Redis({ host: '127.0.0.1', port, ...RETRY, ...options });
    client.on('error', () => {});
    cleanUpAfterTest(() => client.disconnect());
    return client;
  }

  function storeOn(client: RedisClientLike): RedisInboxStore {
    return new RedisInboxStore({ client, application: 'billing', keyPrefix: 'hooks' });
  }

  async function aUser(...rules: string[]): Promise<RedisOptions> {
    const username = `test-${randomUUID()}`;
    await admin.call('ACL', 'SETUSER', username, 'on', '>hunter2', ...rules);
    return { username, password: 'hunter2' };
  }

  it('resolves, and leaves nothing behind', async () => {
    await expect(storeOn(connect()).ping()).resolves.toBeUndefined();

    expect(await admin.keys('*')).toEqual([]);
  });

  it('resolves for a user with the rights that it asks for', async () => {
    const user = await aUser('~hooks:*', '+@read', '+@write', '+@scripting', '+time');
    const client = connect({ ...user, enableReadyCheck: false });

    await expect(storeOn(client).ping()).resolves.toBeUndefined();
  });

  it('resolves on a client without INFO', async () => {
    const minimal: RedisClientLike = {
      evalsha: (...args) => admin.evalsha(...args),
      eval: (...args) => admin.eval(...args),
      hgetall: (key) => admin.hgetall(key),
      getBuffer: (key) => admin.getBuffer(key),
    };

    await expect(storeOn(minimal).ping()).resolves.toBeUndefined();
  });

  describe('says what is wrong and what to do', () => {
    it.each<[string, () => Promise<RedisInboxStore>, RegExp]>([
      [
        'on a replica',
        async () => {
          const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(server.port));
          cleanUpAfterTest(() => replica.stop());
          return storeOn(connect({ enableReadyCheck: false }, replica));
        },
        /READONLY .* The server is a read-only replica\. Connect the client to the primary\.$/,
      ],
      [
        'on a replica that has lost its primary',
        async () => {
          const options = ['--replicaof', '127.0.0.1', '1', '--replica-serve-stale-data', 'no'];
          const replica = await RedisServer.start(...options);
          cleanUpAfterTest(() => replica.stop());
          return storeOn(connect({ enableReadyCheck: false }, replica));
        },
        /MASTERDOWN .* Connect the client to the primary\.$/,
      ],
      [
        'without a password',
        async () => {
          const locked = await RedisServer.start('--requirepass', 'hunter2');
          cleanUpAfterTest(() => locked.stop());
          return storeOn(connect({ enableReadyCheck: false }, locked));
        },
        /NOAUTH .* Check the username and the password of the client\.$/,
      ],
      [
        'for a user without the right to write',
        async () => storeOn(connect({ ...(await aUser('~*', '+@read', '+@scripting', '+info')) })),
        /can't run this command.* Allow the user of the client the categories @read, @write and @scripting, the command TIME/,
      ],
      [
        'for a user without scripts',
        async () => storeOn(connect({ ...(await aUser('~*', '+@read', '+@write', '+info')) })),
        /NOPERM .* Allow the user of the client the categories/,
      ],
      [
        'for a user of other keys',
        async () => storeOn(connect({ ...(await aUser('~other:*', '+@all')) })),
        /NOPERM .* all keys that begin with the keyPrefix of the store\.$/,
      ],
      [
        'without memory',
        async () => {
          await admin.config('SET', 'maxmemory', '1');
          return storeOn(connect());
        },
        /OOM .* Raise maxmemory, or shorten retentionMs\.$/,
      ],
      [
        'if nothing listens',
        async () => storeOn(connect({ port: 1 })),
        /Check that Redis is running, and check the host and the port of the client\.$/,
      ],
      [
        'if nothing listens and there is no offline queue',
        async () => storeOn(connect({ port: 1, enableOfflineQueue: false })),
        /Check that Redis is running, and check the host and the port of the client\.$/,
      ],
    ])('%s', async (_case, arrange, message) => {
      const error: unknown = await (await arrange()).ping().catch((reason) => reason);

      expect(error).toBeInstanceOf(RedisInboxError);
      expect(error).toMatchObject({ message: expect.stringMatching(message) });
      expect(String(error)).not.toContain('hunter2');
    });
  });

  it.each(['allkeys-lru', 'volatile-ttl'])(
    'warns once that %s can evict events, and resolves',
    async (policy) => {
      await admin.config('SET', 'maxmemory-policy', policy);
      const store = storeOn(connect());
      const report = jest.fn();
      store.onWarning(report);

      await store.ping();
      await store.ping();

      expect(report.mock.calls).toEqual([
        [
          `Redis deletes events when its memory is full, because maxmemory-policy is ${policy}. A retry would then run their handlers again. Set it to noeviction.`,
        ],
      ]);
    },
  );

  it('warns that a replica loses what is written to it', async () => {
    const replica = await RedisServer.start(
      '--replicaof',
      '127.0.0.1',
      String(server.port),
      '--replica-read-only',
      'no',
    );
    cleanUpAfterTest(() => replica.stop());
    const store = storeOn(connect({ enableReadyCheck: false }, replica));
    const report = jest.fn();
    store.onWarning(report);

    await store.ping();

    expect(report.mock.calls).toEqual([
      [expect.stringMatching(/^The client is connected to a replica that accepts writes/)],
    ]);
  });

  describe('on a client that is not connected yet', () => {
    it('waits for the connection, although the client refuses commands until then', async () => {
      const client = connect({ enableOfflineQueue: false });

      await expect(storeOn(client).ping()).resolves.toBeUndefined();
    });

    it('does not connect a client that the application connects by itself', async () => {
      const client = connect({ lazyConnect: true });

      await storeOn(client).ping();

      expect(client.status).toBe('wait');
      await expect(client.connect()).resolves.toBeUndefined();
      await expect(storeOn(client).ping()).resolves.toBeUndefined();
    });
  });

  it('resolves on a cluster, and reports its policy', async () => {
    const cluster = await RedisCluster.start();
    cleanUpAfterTest(() => cluster.stop());
    await cluster.client.ping();
    for (const node of cluster.client.nodes('master'))
      await node.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const store = storeOn(cluster.client);
    const report = jest.fn();
    store.onWarning(report);

    await store.ping();

    expect(report).toHaveBeenCalledWith(expect.stringContaining('maxmemory-policy is allkeys-lru'));
  }, 60_000);
});
