export { type RedisClientLike, RedisInboxError, type RedisInboxOptions } from './redis-inbox.connection.js';
export { RedisInboxStore } from './redis-inbox.store.js';
