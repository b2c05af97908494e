export type { RedisClientLike } from './redis-client-like.js';
export { RedisInboxError } from './redis-inbox.error.js';
export type { RedisInboxOptions } from './redis-inbox.options.js';
export { RedisInboxStore } from './redis-inbox.store.js';
