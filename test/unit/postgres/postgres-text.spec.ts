import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromPostgresText, toPostgresText } from '../../../lib/postgres/postgres.reads.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\\', 'u', '0', '\u0000', '\ud800', '\udc00', '🦊', 'a'))
    .map((parts) => parts.join('')),
);

describe('Text for Postgres', () => {
  it('comes back as it was', () => {
    fc.assert(fc.property(anyText, (text) => fromPostgresText(toPostgresText(text)) === text));
  });

  it('is text that Postgres can keep', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const kept = toPostgresText(text);
        return kept.isWellFormed() && !kept.includes('\u0000');
      }),
    );
  });

  it.each(['evt_123', "it's ünïcödé 事件 🦊", ''])(
    'stays as it is where it is nothing special: %j',
    (text) => {
      expect(toPostgresText(text)).toBe(text);
    },
  );
});
