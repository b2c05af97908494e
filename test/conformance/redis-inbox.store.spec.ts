import { afterAll, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { redisInboxHarness } from '../helpers/redis-inbox.js';
import { describeWithService } from '../helpers/services.js';
import { describeInboxStore } from './inbox-store.conformance.js';

await describeWithService('redis', 'RedisInboxStore on a Redis', (url) => {
  let client: Redis;

  beforeAll(() => {
    client = new Redis(url);
  });

  afterAll(() => client.quit());

  describeInboxStore('RedisInboxStore', async () => redisInboxHarness(client));

  describeInboxStore('RedisInboxStore that drops payloads', async () => ({
    ...redisInboxHarness(client, { payloads: 'drop-when-done' }),
    dropsPayloads: true,
  }));
});
