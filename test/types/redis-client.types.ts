import type { Cluster, Redis } from 'ioredis';
import type { RedisClientLike } from '../../lib/redis/index.js';

// Checked by `tsc`, never run.

export function clientsOfIoredis(redis: Redis, cluster: Cluster): RedisClientLike[] {
  return [redis, cluster];
}
