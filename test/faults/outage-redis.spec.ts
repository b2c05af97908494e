import './helpers/timeout.js';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { cleanUpAfterTest } from '../helpers/cleanup.js';
import { DURABLE, RedisServer } from '../helpers/redis-server.js';
import { describeWithServers } from '../helpers/services.js';
import { redisOutages } from './helpers/redis-outages.js';
import { expectToSurvive, type Outage, runsDuring } from './helpers/store-outage.js';

describeWithServers('redis', 'If the Redis of the inbox', () => {
  let server: RedisServer;
  let inbox: RedisInboxStore;
  let outages: Awaited<ReturnType<typeof redisOutages>>;

  beforeAll(async () => {
    server = await RedisServer.start(...DURABLE);
  });

  afterAll(() => server.stop());

  beforeEach(async () => {
    await server.launchIfDown();
    // A client without timeouts.
    const client = new Redis(server.port, '127.0.0.1', {
      maxRetriesPerRequest: null,
      retryStrategy: () => 20,
    });
    client.on('error', () => {});
    cleanUpAfterTest(() => client.disconnect());
    inbox = new RedisInboxStore({ client, application: 'shop' });
    outages = await redisOutages(server);
  });

  const isDown: Outage = async () => {
    await server.kill();
    return () => server.launch();
  };
  const hangs: Outage = async () => outages.hang();
  const isFull: Outage = () => outages.fill();

  it('is down, deliveries are answered with 503 until it is up', () => expectToSurvive(inbox, isDown));

  it('hangs, deliveries are answered with 503 until it responds', () => expectToSurvive(inbox, hangs));

  it('is full, deliveries are answered with 503 until it is not', () => expectToSurvive(inbox, isFull));

  it('goes down while handlers run, they are recorded when it is up again, if the client waits', async () => {
    expect(await runsDuring(inbox, isDown)).toEqual([1, 1]);
  });

  it('hangs while handlers run, they are recorded when it responds again', async () => {
    expect(await runsDuring(inbox, hangs)).toEqual([1, 1]);
  });

  it('fills up while handlers run, they are recorded when there is room again', async () => {
    expect(await runsDuring(inbox, isFull)).toEqual([1, 1]);
  });
});
