import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { InboxTimeoutError } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore } from '../../../lib/postgres/index.js';
import { RedisInboxError, RedisInboxStore } from '../../../lib/redis/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { cleanUpAfterTest } from '../../helpers/cleanup.js';
import { aSchemaName, dropSchema, openPool } from '../../helpers/postgres.js';
import { keysBelow } from '../../helpers/redis-inbox.js';
import { describeWithService } from '../../helpers/services.js';
import { TcpProxy } from '../../helpers/tcp-proxy.js';

const TIMEOUT_MS = 10_000;
const DONE = [{ handlerId: 'A.run', state: 'done' as const }];

/** Lets the time run out that stores wait for an answer. Sockets go on in real time. */
async function timeOut(): Promise<void> {
  await jest.advanceTimersByTimeAsync(TIMEOUT_MS);
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});

afterEach(() => {
  jest.useRealTimers();
});

await describeWithService('postgres', 'If Postgres does not answer, PostgresInboxStore', (url) => {
  async function setUp({ isSilent = false } = {}) {
    const proxy = await TcpProxy.start(url);
    proxy.isSilent = isSilent;
    const schema = aSchemaName();
    const admin = openPool({ max: 1 });
    cleanUpAfterTest(async () => {
      await dropSchema(admin, schema);
      await admin.end();
    });
    const pool = openPool({ connectionString: proxy.url });
    pool.on('error', () => {});
    // A connection that is never answered cannot be closed in good order.
    cleanUpAfterTest(() => void pool.end());
    return {
      proxy,
      pool,
      schema,
      store: new PostgresInboxStore({ client: pool, application: 'test', schema }),
    };
  }

  it('gives up its first query after 10 s, and migrates at the next call', async () => {
    const { proxy, store } = await setUp({ isSilent: true });
    const first = [store.claim(anEvent(), ['A.run'], aLease()), store.ping(), store.count()];
    const answers = Promise.allSettled(first);

    await timeOut();

    expect((await answers).map((answer) => answer.status === 'rejected' && answer.reason)).toEqual(
      first.map(() => expect.any(InboxTimeoutError)),
    );
    proxy.isSilent = false;
    expect(await store.claim(anEvent(), ['A.run'], aLease())).toEqual(
      new Map([['A.run', { state: 'claimed', attempt: 1 }]]),
    );
  });

  it('replaces a connection that was lost before the migration', async () => {
    const { proxy, pool, store } = await setUp();
    await pool.query('SELECT 1');
    proxy.loseConnections();
    const ping = expect(store.ping()).rejects.toMatchObject({ code: 'inbox_timeout', database: 'Postgres' });

    await timeOut();

    await ping;
    await expect(store.ping()).resolves.toBeUndefined();
  });

  it('can claim and settle again after a connection was lost', async () => {
    const { proxy, store } = await setUp();
    await store.ping();
    const [event, lease] = [anEvent(), aLease()];
    proxy.loseConnections();
    const claim = expect(store.claim(event, ['A.run'], lease)).rejects.toThrow(
      /Postgres did not answer within 10 s/,
    );
    await timeOut();
    await claim;
    await store.claim(event, ['A.run'], lease);
    // So that the settlement gets a connection which is lost, not a new one.
    await store.close();
    proxy.loseConnections();
    const settlement = expect(store.settle(event, DONE, lease)).rejects.toBeInstanceOf(InboxTimeoutError);
    await timeOut();
    await settlement;

    expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
  });

  it('closes after 10 s at most', async () => {
    const { proxy, store } = await setUp();
    await store.ping();
    // The first claim starts to prune.
    const claim = store.claim(anEvent(), [], aLease());
    proxy.loseConnections();
    await Promise.all([timeOut(), claim.catch(() => undefined)]);
    let isClosed = false;
    const closed = store.close().then(() => {
      isClosed = true;
    });

    await timeOut();
    await closed;

    expect(isClosed).toBe(true);
  });
});

await describeWithService('redis', 'If Redis does not answer, RedisInboxStore', (url) => {
  async function setUp(options: { isSilent?: boolean; socketTimeout?: number } = {}) {
    const { isSilent = false, ...clientOptions } = options;
    const proxy = await TcpProxy.start(url);
    proxy.isSilent = isSilent;
    const keyPrefix = `test:${aSchemaName()}`;
    const admin = new Redis(url);
    cleanUpAfterTest(async () => {
      for (const key of await keysBelow(admin, keyPrefix)) await admin.del(key);
      admin.disconnect();
    });
    const client = new Redis(proxy.url, { retryStrategy: () => 20, ...clientOptions });
    client.on('error', () => {});
    cleanUpAfterTest(() => client.disconnect());
    return { proxy, client, store: new RedisInboxStore({ client, application: 'test', keyPrefix }) };
  }

  it('rejects every call after 10 s', async () => {
    const { store } = await setUp({ isSilent: true });
    const event = anEvent();
    const calls = [
      store.ping(),
      store.claim(event, ['A.run'], aLease()),
      store.settle(event, DONE, aLease()),
      store.reopen(event),
      store.get(event),
      store.payload(event),
      store.count(),
    ];
    const answers = Promise.allSettled(calls);

    await timeOut();

    expect((await answers).map((answer) => answer.status === 'rejected' && answer.reason)).toEqual(
      calls.map(() => expect.any(RedisInboxError)),
    );
  });

  it('says what to do', async () => {
    const { proxy, client, store } = await setUp();
    await client.ping();
    proxy.loseConnections();
    const ping = expect(store.ping()).rejects.toThrow(
      /Redis did not answer within 10 s.*give the client timeouts/,
    );

    await timeOut();
    await ping;
  });

  it('goes on with a new connection if the client has a socketTimeout', async () => {
    jest.useRealTimers();
    const { proxy, client, store } = await setUp({ socketTimeout: 200 });
    const [event, lease] = [anEvent(), aLease()];
    await client.ping();
    proxy.loseConnections();

    await store.claim(event, ['A.run'], lease);
    expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
  });
});
