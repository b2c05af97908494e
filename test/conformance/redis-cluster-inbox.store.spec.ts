import { afterAll, beforeAll } from '@jest/globals';
import { redisInboxHarness } from '../helpers/redis-inbox.js';
import { RedisCluster } from '../helpers/redis-server.js';
import { describeWithServers } from '../helpers/services.js';
import { describeInboxStore } from './inbox-store.conformance.js';

describeWithServers('redis', 'RedisInboxStore on a cluster', () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);

  afterAll(() => cluster.stop());

  describeInboxStore('RedisInboxStore', async () => redisInboxHarness(cluster.client));
});
