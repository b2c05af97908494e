import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromStorableText, toStorableText } from '../../../lib/errors/safe-text.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\\', 'u', '0', '\u0000', '\ud800', '\udc00', '🦊', 'a'))
    .map((parts) => parts.join('')),
);

describe('toStorableText', () => {
  it('is reversed by fromStorableText', () => {
    fc.assert(fc.property(anyText, (text) => fromStorableText(toStorableText(text)) === text));
  });

  it('returns ASCII without U+0000, which every database can store', () => {
    fc.assert(
      fc.property(anyText, (text) =>
        Buffer.from(toStorableText(text)).every((byte) => byte > 0 && byte < 128),
      ),
    );
  });

  it.each(['evt_123', "it's\n\u001b[31m ASCII", ''])('does not change ordinary text: %j', (text) => {
    expect(toStorableText(text)).toBe(text);
  });

  it.each([
    ['→', '\\u2192'],
    ['é', '\\u00e9'],
    ['🦊', '\\ud83e\\udd8a'],
    ['\\u2192', '\\\\u2192'],
  ])('escapes %j', (text, escaped) => {
    expect(toStorableText(text)).toBe(escaped);
  });
});
