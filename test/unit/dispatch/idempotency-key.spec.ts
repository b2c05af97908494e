import { describe, expect, it } from '@jest/globals';
import { idempotencyKey } from '../../../lib/dispatch/scalekit-delivery.js';

describe('idempotencyKey', () => {
  it('is the same for every attempt of a handler for an event', () => {
    expect(idempotencyKey('default', 'evt_1', 'A.run')).toBe(idempotencyKey('default', 'evt_1', 'A.run'));
  });

  it('stays the same across releases of this library', () => {
    expect(idempotencyKey('default', 'evt_1', 'A.run')).toBe('xr9JN5DYDyA99Iw5Zk9Soig0c9RpNX26TS0XXuGE4Xc');
  });

  it('differs by endpoint, event, handler and application, even if they are equal when joined', () => {
    const keys = [
      ['default', 'evt_1', 'A.run'],
      ['other', 'evt_1', 'A.run'],
      ['default', 'evt_2', 'A.run'],
      ['default', 'evt_1', 'B.run'],
      ['defaultevt_1', '', 'A.run'],
      ['default"', 'evt_1', 'A.run'],
      ['default', 'evt_1","A.run', ''],
      ['default', 'evt_1', 'A.run', 'billing'],
      ['default', 'evt_1', 'A.run', 'shipping'],
    ].map(([endpoint = '', event = '', handler = '', application]) =>
      idempotencyKey(endpoint, event, handler, application),
    );

    expect(new Set(keys).size).toBe(keys.length);
  });

  it('has at most 64 characters, all allowed in a header, however long the ids are', () => {
    expect(idempotencyKey('e'.repeat(255), 'é'.repeat(255), 'h'.repeat(255))).toMatch(/^[\w-]{1,64}$/);
  });
});
