import { describe, expect, it } from '@jest/globals';
import { bodyVariants } from '../../../lib/cli/explain-signature.js';

const namesFor = (original: string, found: string) =>
  bodyVariants(Buffer.from(found))
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
  ])('recovers %j from %j', (original, found, name) => {
    expect(namesFor(original, found)[0]).toMatch(name);
  });

  it('returns none for bytes that are not UTF-8', () => {
    expect(bodyVariants(Buffer.from([0xff, 0x0a]))).toEqual([]);
  });

  it('does not include the body itself', () => {
    expect(namesFor('{"a":1}', '{"a":1}')).toEqual([]);
  });
});
