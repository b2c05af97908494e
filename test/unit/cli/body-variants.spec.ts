import { describe, expect, it } from '@jest/globals';
import { bodyVariants } from '../../../lib/cli/body-variants.js';

const namesFor = (original: string, found: string | Uint8Array) =>
  [...bodyVariants(typeof found === 'string' ? Buffer.from(found) : found)]
    .filter(({ body }) => body === original)
    .map(({ name }) => name);

describe('bodyVariants', () => {
  it.each([
    ['{"a":1}', '{"a":1}\n', /without its final newline/],
    ['{"a":1}', '{"a":1}\r\n', /without its final newline/],
    ['{"a":1}\n', '{"a":1}', /with a final newline/],
    ['{"a":1}', ' {"a":1}', /compact|whitespace/],
    ['x', ' x\t', /whitespace/],
    ['{\n}', '{\r\n}', /LF instead of CRLF/],
    ['{\r\n}', '{\n}', /CRLF instead of LF/],
    ['{', '\ufeff{', /byte order mark/],
    ['{"a":1}', '{ "a": 1.0 }', /compact/],
    ['{\n  "a": 1\n}', '{"a":1}', /by 2 spaces/],
    ['{\n    "a": 1\n}', '{"a":1}', /by 4 spaces/],
    ['{\n\t"a": 1\n}', '{"a":1}', /by tabs/],
    ['{"a": 1, "b": [2, "c,:"]}', '{"a":1,"b":[2,"c,:"]}', /with spaces after commas and colons/],
    ['{"a":"ü"}', '{\n  "a": "\\u00fc"\n}\n', /compact/],
    ['{"a":"\\u00fc"}', '{"a":"ü"}', /escapes for characters outside ASCII/],
    ['{"a":"\\ud83d\\ude00"}', '{"a":"😀"}', /escapes for characters outside ASCII/],
    ['{"a":"\\u003cb\\u003e"}', '{ "a": "<b>" }', /escapes for <, > and &/],
    ['{"a":"https:\\/\\/x"}', '{"a":"https://x"}', /instead of \/$/],
    ['{"a":1.50,"b":12345678901234567890}', '{ "a": 1.50, "b": 12345678901234567890 }\n', /compact/],
    ['{"a":{"c":1,"d":2},"b":3}', '{"b":3,"a":{"d":2,"c":1}}', /alphabetical/],
    ['{"a":1}', JSON.stringify('{"a":1}'), /inside the JSON string/],
    ['{"a":1}', `${Buffer.from('{"a":1}').toString('base64')}\n`, /base64/],
    ['{"a":"ü"}', Buffer.from('\ufeff{"a":"ü"}', 'utf16le'), /in UTF-8 instead of UTF-16$/],
    [
      '{"a":"ü"}',
      Buffer.from('\ufeff{"a":"ü"}\r\n', 'utf16le').swap16(),
      /UTF-16 and without its final newline/,
    ],
    ['{"a":"ü"}', Buffer.from('{"a":"ü"}', 'latin1'), /Windows-1252/],
    ['{"a":"ü"}', Buffer.from(Buffer.from('{"a":"ü"}').toString('latin1')), /encoded twice/],
    ['{"a":1}', '\ufeff{\r\n  "a": 1\r\n}\r\n', /compact/],
    ['{\n}', '\ufeff{\r\n}\r\n', /byte order mark and with LF .* and without its final newline/],
  ])('recovers %j from %j', (original, found, name) => {
    expect(namesFor(original, found)[0]).toMatch(name);
  });

  it('has each variant once, and few enough to try them all', () => {
    const bodies = [...bodyVariants(Buffer.from('\ufeff{\r\n "a": "ü/<", "c": 1.0 }\r\n'))].map(
      ({ body }) => body,
    );
    expect(new Set(bodies).size).toBe(bodies.length);
    expect(bodies.length).toBeLessThan(500);
  });

  it('does not include the body itself', () => {
    expect(namesFor('{"a":1}', '{"a":1}')).toEqual([]);
  });
});
