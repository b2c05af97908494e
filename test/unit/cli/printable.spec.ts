import { describe, expect, it } from '@jest/globals';
import { onItsLines, onOneLine } from '../../../lib/cli/printable.js';

describe('text from elsewhere', () => {
  it('fits on one line', () => {
    expect(onOneLine(' a\n\tb\u001b[31m\u009bc\u200b ')).toBe('a b [31m c');
  });

  it('keeps its lines, with escapes for what could steer the terminal', () => {
    expect(onItsLines('{\n\t"a": "\u001b[31m\u009b\u{e0001}ü😀"\r}')).toBe(
      '{\n\t"a": "\\u001b[31m\\u009b\\udb40\\udc01ü😀"\\u000d}',
    );
  });
});
