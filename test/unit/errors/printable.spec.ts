import { describe, expect, it } from '@jest/globals';
import { sanitizeLine, sanitizeText } from '../../../lib/errors/safe-text.js';

describe('sanitizeLine', () => {
  it('puts text on one line, without control characters', () => {
    expect(sanitizeLine(' a\n\tb\u001b[31m\u009bc\u200b ')).toBe('a b [31m c');
  });
});

describe('sanitizeText', () => {
  it('keeps line breaks and tabs, and escapes other control characters', () => {
    expect(sanitizeText('{\n\t"a": "\u001b[31m\u009b\u{e0001}ü😀"\r}')).toBe(
      '{\n\t"a": "\\u001b[31m\\u009b\\udb40\\udc01ü😀"\\u000d}',
    );
  });
});
