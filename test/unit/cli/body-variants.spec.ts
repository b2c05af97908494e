import { describe, expect, it } from '@jest/globals';
import { bodyVariants } from '../../../lib/cli/explain-signature.js';

const namesFor = (original: string, found: string) =>
  bodyVariants(Buffer.from(found))
    .filter(({ body }) => body === original)
    .map(({ name }) => name);

describe('bodyVariants', () => {
  it.each([
    ['{"a":1}', '{"a":1}\n', /without the newline/],
    ['{"a":1}', '{"a":1}\r\n', /without the newline/],
    ['{"a":1}\n', '{"a":1}', /with a newline/],
    ['{"a":1}', ' {"a":1}', /compact|white space/],
    ['x', ' x\t', /white space/],
    ['{\n}', '{\r\n}', /LF instead of CRLF/],
    ['{\r\n}', '{\n}', /CRLF instead of LF/],
    ['{', '\ufeff{', /byte order mark/],
    ['{"a":1}', '{ "a": 1.0 }', /compact/],
    ['{\n  "a": 1\n}', '{"a":1}', /by 2/],
    ['{\n    "a": 1\n}', '{"a":1}', /by 4/],
  ])('finds %j in %j', (original, found, name) => {
    expect(namesFor(original, found)[0]).toMatch(name);
  });

  it('has none for bytes that are not UTF-8', () => {
    expect(bodyVariants(Buffer.from([0xff, 0x0a]))).toEqual([]);
  });

  it('never repeats the body itself', () => {
    expect(namesFor('{"a":1}', '{"a":1}')).toEqual([]);
  });
});
