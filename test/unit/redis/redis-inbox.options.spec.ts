import { describe, expect, it } from '@jest/globals';
import { type RedisClientLike, RedisInboxStore } from '../../../lib/redis/index.js';
import { resolveRedisInboxOptions } from '../../../lib/redis/redis-inbox.store.js';

const client: RedisClientLike = {
  evalsha: async () => [],
  eval: async () => [],
  hgetall: async () => ({}),
  getBuffer: async () => null,
  ping: async () => 'PONG',
};

describe('The options of a RedisInboxStore', () => {
  it('default to the prefix scalekit-webhooks and to 30 days', () => {
    expect(resolveRedisInboxOptions({ client })).toEqual({
      client,
      keyPrefix: 'scalekit-webhooks',
      retentionMs: 2_592_000_000,
    });
  });

  it.each(['', 'a{b', 'a}b', '{tag}'])('refuse the prefix %j', (keyPrefix) => {
    expect(() => new RedisInboxStore({ client, keyPrefix })).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', setting: 'keyPrefix' }),
    );
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuse a retention of %p', (retentionMs) => {
    expect(() => new RedisInboxStore({ client, retentionMs })).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', setting: 'retentionMs' }),
    );
  });

  it('refuse a client that cannot run scripts, and name what it lacks', () => {
    const other = Object.assign({ ...client }, { evalsha: undefined });

    expect(() => Reflect.construct(RedisInboxStore, [{ client: other }])).toThrow('evalsha');
    expect(() => Reflect.construct(RedisInboxStore, [{}])).toThrow(
      expect.objectContaining({ setting: 'client' }),
    );
  });
});
