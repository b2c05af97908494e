import { randomUUID } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { type RedisInboxOptions, RedisInboxStore } from '../../lib/redis/index.js';

// Moves the data of a key into the past, as if time had passed.
const SHIFT = `
local key, ms = KEYS[1], tonumber(ARGV[1])
local kind = redis.call('TYPE', key).ok
local function shifted(micros) return string.format('%016.0f', micros - ms * 1000) end
if string.match(key, ':facets$') then
  for _, facet in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    redis.call('ZREM', key, facet)
    redis.call('ZADD', key, 0, string.sub(facet, 1, 17) .. shifted(string.sub(facet, 18, 33)) .. string.sub(facet, 34))
  end
  return
end
if string.match(key, ':labels$') then
  local labels = redis.call('HGETALL', key)
  for i = 1, #labels, 2 do
    redis.call('HSET', key, labels[i], shifted(string.sub(labels[i + 1], 1, 16)) .. string.sub(labels[i + 1], 17))
  end
  return
end
if kind == 'zset' then
  local shift = string.match(key, ':expires$') and ms or ms * 1000
  local scored = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #scored, 2 do redis.call('ZINCRBY', key, -shift, scored[i]) end
  return
end
if kind == 'hash' then
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local field, value = fields[i], fields[i + 1]
    if field == 'endsAt' then
      redis.call('HINCRBY', key, field, -ms)
    elseif field == 'receivedAt' then
      redis.call('HINCRBY', key, field, -ms * 1000)
    elseif string.match(field, '^run:') then
      local head, at, tail = string.match(value, '^(%S+ %S+ )(%S+)( .*)$')
      redis.call('HSET', key, field, head .. (at - ms) .. tail)
    elseif string.match(field, '^lease:') then
      local at, tail = string.match(value, '^(%S+)( .*)$')
      redis.call('HSET', key, field, (at - ms) .. tail)
    end
  end
end
local left = redis.call('PTTL', key)
if left > 0 then redis.call('PEXPIRE', key, left - ms) end
`;

/** A store with a key prefix of its own, whose time can be advanced. */
export function redisInboxHarness(client: Redis | Cluster, options: Partial<RedisInboxOptions> = {}) {
  const keyPrefix = `test:${randomUUID()}`;
  const keys = () => keysBelow(client, keyPrefix);
  return {
    store: new RedisInboxStore({ client, application: 'test', keyPrefix, ...options }),
    openWith: (payloads: object) =>
      new RedisInboxStore({ client, application: 'test', keyPrefix, ...options, ...payloads }),
    keyPrefix,
    keys,
    async advance(ms: number): Promise<void> {
      for (const key of await keys()) await client.eval(SHIFT, 1, key, ms);
    },
    async dispose(): Promise<void> {
      for (const key of await keys()) await client.del(key);
    },
  };
}

export async function keysBelow(client: Redis | Cluster, keyPrefix: string): Promise<string[]> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  const keys: string[] = [];
  for (const node of nodes) {
    for await (const found of node.scanStream({ match: `${keyPrefix}:*`, count: 1000 })) keys.push(...found);
  }
  return keys;
}
