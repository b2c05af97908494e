import { describe, expect, it, jest } from '@jest/globals';
import { type RedisClientLike, RedisInboxStore } from '../../../lib/redis/index.js';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';

const client: RedisClientLike = {
  evalsha: async () => [],
  eval: async () => [],
  hgetall: async () => ({}),
  getBuffer: async () => null,
};

describe('The options of RedisInboxStore', () => {
  it('default to the prefix scalekit-webhooks and to 30 days', async () => {
    const evalsha = jest.fn(client.evalsha);
    await new RedisInboxStore({ client: { ...client, evalsha }, application: 'test' }).claim(
      anEvent(),
      ['A.run'],
      aLease(),
    );

    const [, , firstKey, ...others] = evalsha.mock.calls[0] ?? [];
    expect(firstKey).toMatch(/^scalekit-webhooks:/);
    expect(others).toContain('2592000000');
  });

  it.each(['', 'a{b', 'a}b', '{tag}'])('reject the prefix %j', (keyPrefix) => {
    expect(() => new RedisInboxStore({ client, application: 'test', keyPrefix })).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', setting: 'keyPrefix' }),
    );
  });

  it('require an application, and say why and what to write', () => {
    // @ts-expect-error the option is missing
    expect(() => new RedisInboxStore({ client })).toThrow(
      /^application is required\..*keep their events separate\..*application: 'billing'/,
    );
  });

  it.each(['', ' ', 'a b', "a'b", 'a/b', 'a:b', 'a{b}', 'ä', 'a\n', 'x'.repeat(65), 42, null])(
    'reject the application %j',
    (application) => {
      expect(() => Reflect.construct(RedisInboxStore, [{ client, application }])).toThrow(
        expect.objectContaining({ code: 'configuration_invalid', setting: 'application' }),
      );
    },
  );

  it.each(['billing', 'Billing_2.eu-west', '-', 'x'.repeat(64)])(
    'accept the application %j',
    (application) => {
      expect(new RedisInboxStore({ client, application }).application).toBe(application);
    },
  );

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('reject retentionMs: %p', (retentionMs) => {
    expect(() => new RedisInboxStore({ client, application: 'test', retentionMs })).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', setting: 'retentionMs' }),
    );
  });

  it('reject a client that cannot run scripts, and name the missing method', () => {
    const other = Object.assign({ ...client }, { evalsha: undefined });

    expect(() => Reflect.construct(RedisInboxStore, [{ client: other }])).toThrow('evalsha');
    expect(() => Reflect.construct(RedisInboxStore, [{}])).toThrow(
      expect.objectContaining({ setting: 'client' }),
    );
  });
});
