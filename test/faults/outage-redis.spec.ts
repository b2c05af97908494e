import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { describeWithRedisServers, RedisServer } from '../helpers/redis-server.js';
import { redisOutages } from './helpers/redis-outages.js';
import { type Ailment, expectToOutlast, runsAcross } from './helpers/store-outage.js';
import { undoAfterTest } from './helpers/tidy.js';

describeWithRedisServers('A Redis ledger', () => {
  let server: RedisServer;
  let inbox: RedisInboxStore;
  let outages: Awaited<ReturnType<typeof redisOutages>>;

  beforeAll(async () => {
    server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
  });

  afterAll(() => server.stop());

  beforeEach(async () => {
    await server.launchIfDown();
    // The client has no time-outs of its own, and waits for the server as long as it must.
    const client = new Redis(server.port, '127.0.0.1', {
      maxRetriesPerRequest: null,
      retryStrategy: () => 20,
    });
    client.on('error', () => {});
    undoAfterTest(() => client.disconnect());
    inbox = new RedisInboxStore({ client });
    outages = await redisOutages(server);
  });

  const isDown: Ailment = async () => {
    await server.kill();
    return () => server.launch();
  };
  const hangs: Ailment = async () => outages.hang();
  const isFull: Ailment = () => outages.fill();

  it('that is down has deliveries refused until it is up', () => expectToOutlast(inbox, isDown));

  it('that hangs has deliveries refused until it answers', () => expectToOutlast(inbox, hangs));

  it('that is full has deliveries refused until there is room', () => expectToOutlast(inbox, isFull));

  it('that goes down while handlers run takes their record when it is up again, from a client that waits', async () => {
    expect(await runsAcross(inbox, isDown)).toEqual([1, 1]);
  });

  it('that hangs while handlers run takes their record when it answers again', async () => {
    expect(await runsAcross(inbox, hangs)).toEqual([1, 1]);
  });

  it('that fills up while handlers run has them run again, since it could not take their record', async () => {
    expect(await runsAcross(inbox, isFull)).toEqual([2, 2]);
  });
});
