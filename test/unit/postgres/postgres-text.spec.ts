import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromPostgresText, toPostgresText } from '../../../lib/postgres/postgres.reads.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\\', 'u', '0', '\u0000', '\ud800', '\udc00', '🦊', 'a'))
    .map((parts) => parts.join('')),
);

describe('toPostgresText', () => {
  it('is reversed by fromPostgresText', () => {
    fc.assert(fc.property(anyText, (text) => fromPostgresText(toPostgresText(text)) === text));
  });

  it('returns text that Postgres can store', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const stored = toPostgresText(text);
        return stored.isWellFormed() && !stored.includes('\u0000');
      }),
    );
  });

  it.each(['evt_123', "it's ünïcödé 事件 🦊", ''])('does not change ordinary text: %j', (text) => {
    expect(toPostgresText(text)).toBe(text);
  });
});
