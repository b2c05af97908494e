export { type RedisClientLike, RedisInboxError } from './redis-inbox.connection.js';
export { type RedisInboxOptions, RedisInboxStore } from './redis-inbox.store.js';
