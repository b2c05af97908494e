import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keyOfMember, memberOf, RedisInboxKeys } from '../../../lib/redis/redis-inbox.keys.js';

const ids = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('{', '}', '{}', ':', '%', 'a{b}c', '\ud800', ''),
);
const inboxKeys = fc.record({ endpoint: ids, eventId: ids });

/** The part of a key that chooses its slot, by the rule of the cluster specification. */
function hashTag(key: string): string {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
}

describe('The keys of a Redis inbox', () => {
  it('name an event so that its name can be read back, whatever its ids', () => {
    fc.assert(fc.property(inboxKeys, (key) => expect(keyOfMember(memberOf(key))).toEqual(key)));
  });

  it('are ASCII without blanks, and have one pair of braces', () => {
    const keys = new RedisInboxKeys('prefix');
    fc.assert(
      fc.property(inboxKeys, (key) => {
        for (const name of keys.ofEvent(key)) expect(name).toMatch(/^prefix:\{\d+\}:[\w.%:-]+$/);
      }),
    );
  });

  it('are all in one slot where a script uses them together', () => {
    const keys = new RedisInboxKeys('shop:webhooks');
    fc.assert(
      fc.property(inboxKeys, (key) => {
        expect(new Set(keys.ofEvent(key).map(hashTag)).size).toBe(1);
      }),
    );
  });

  it('stay readable for the ids that Scalekit gives', () => {
    expect(new RedisInboxKeys('p').event({ endpoint: 'default', eventId: 'evt_123' })).toMatch(
      /^p:\{\d+\}:event:default:evt_123$/,
    );
  });

  it('spread events over all buckets', () => {
    const keys = new RedisInboxKeys('p');
    const tags = Array.from({ length: 500 }, (_, id) =>
      hashTag(keys.event({ endpoint: 'default', eventId: `evt_${id}` })),
    );

    expect(new Set(tags).size).toBe(16);
  });
});
