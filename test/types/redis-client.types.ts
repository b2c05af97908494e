import type { Cluster, Redis } from 'ioredis';
import type { RedisClientLike } from '../../lib/redis/index.js';

// `tsc` checks this file. It never runs.

export function clientsOfIoredis(redis: Redis, cluster: Cluster): RedisClientLike[] {
  return [redis, cluster];
}
