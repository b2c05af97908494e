import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keyOfMember, memberOf, RedisInboxKeys } from '../../../lib/redis/redis-inbox.keys.js';

const ids = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('{', '}', '{}', ':', '%', 'a{b}c', '\ud800', ''),
);
const inboxKeys = fc.record({ endpoint: ids, eventId: ids });

/** The part of a key that determines its slot, according to the cluster specification. */
function hashTag(key: string): string {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
}

describe('The keys of RedisInboxStore', () => {
  it('contain a name of the event that can be read back, for any id', () => {
    fc.assert(fc.property(inboxKeys, (key) => expect(keyOfMember(memberOf(key))).toEqual(key)));
  });

  it('are ASCII without spaces, with one pair of braces', () => {
    const keys = new RedisInboxKeys('prefix', 'billing');
    fc.assert(
      fc.property(inboxKeys, (key) => {
        for (const name of keys.ofEvent(key)) expect(name).toMatch(/^prefix:\{billing:\d+\}:[\w.%:-]+$/);
      }),
    );
  });

  it('are in the same slot if a script uses them together', () => {
    const keys = new RedisInboxKeys('shop:webhooks', 'billing');
    fc.assert(
      fc.property(inboxKeys, (key) => {
        expect(new Set(keys.ofEvent(key).map(hashTag)).size).toBe(1);
      }),
    );
  });

  it('are readable for the ids of Scalekit', () => {
    expect(new RedisInboxKeys('p', 'billing').event({ endpoint: 'default', eventId: 'evt_123' })).toMatch(
      /^p:\{billing:\d+\}:event:default:evt_123$/,
    );
  });

  it('distribute events over all buckets', () => {
    const keys = new RedisInboxKeys('p', 'billing');
    const tags = Array.from({ length: 500 }, (_, id) =>
      hashTag(keys.event({ endpoint: 'default', eventId: `evt_${id}` })),
    );

    expect(new Set(tags).size).toBe(16);
  });
});
