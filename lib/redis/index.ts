export type { RedisClientLike } from './redis-inbox.connection.js';
export { RedisInboxError } from './redis-inbox.connection.js';
export type { RedisInboxOptions } from './redis-inbox.store.js';
export { RedisInboxStore } from './redis-inbox.store.js';
