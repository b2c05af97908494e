import { describe, expect, it } from '@jest/globals';
import { parseStandardSignature } from '../../../lib/verify/signature.js';
import { collectSignatureHeaders } from '../../../lib/verify/signature-headers.js';
import { codeOf } from './verify.fixtures.js';

const DIGEST = Buffer.alloc(32, 0xfb);
const BASE64 = DIGEST.toString('base64');
const BASE64URL = DIGEST.toString('base64url');
const OTHER = Buffer.alloc(32, 1).toString('base64');

function read(changes: Record<string, string | string[]>) {
  const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': '1764000000', ...changes };
  return parseStandardSignature(collectSignatureHeaders(headers));
}
function candidatesOf(signature: string | string[]): string[] {
  const { candidates } = read({ 'webhook-signature': signature });
  return candidates.map((candidate) => Buffer.from(candidate).toString('base64'));
}
const valid = { 'webhook-signature': `v1,${BASE64}` };

describe('parseStandardSignature', () => {
  it('reads the id, the timestamp and the signature', () => {
    expect(read(valid)).toEqual({
      scheme: 'standard',
      timestamp: 1764000000,
      signedPrefix: 'msg_1.1764000000.',
      candidates: [DIGEST],
      deliveryId: 'msg_1',
    });
  });

  it.each([
    ['base64', `v1,${BASE64}`],
    ['base64 without padding', `v1,${BASE64.slice(0, -1)}`],
    ['base64url', `v1,${BASE64URL}`],
    ['base64url with padding', `v1,${BASE64URL}=`],
  ])('reads a signature in %s', (_, signature) => {
    expect(candidatesOf(signature)).toEqual([BASE64]);
  });

  const other = `v1,${OTHER}`;
  it.each([
    ['a space', `v1,${BASE64} ${other}`],
    ['a comma and a space, as Node joins repeated headers', `v1,${BASE64}, ${other}`],
    ['a comma', `v1,${BASE64},${other}`],
    ['several spaces, some at the ends', ` v1,${BASE64}   ${other} `],
    ['arriving in two headers', [`v1,${BASE64}`, other]],
  ])('reads signatures separated by %s', (_, signature) => {
    expect(candidatesOf(signature)).toEqual([BASE64, OTHER]);
  });

  const ignored: [string, string][] = [
    ['of another version', `v1a,${BASE64}`],
    ['of version 2', `v2,${BASE64}`],
    ['without a version', BASE64],
    ['with an empty version', `,${BASE64}`],
    ['with an upper-case V', `V1,${BASE64}`],
    ['that is short', 'v1,YWJj'],
    ['that is empty', 'v1,'],
    ['that is one character short', `v1,${BASE64.slice(0, 42)}`],
    ['that is one character long', `v1,A${BASE64}`],
    ['that is padded twice', `v1,${BASE64}=`],
    ['whose last character carries more than 4 bits', `v1,${BASE64.slice(0, 42)}t=`],
    ['with a character that is not base64', `v1,*${BASE64.slice(1)}`],
    ['that consists of commas', ',,,,'],
    ['with a newline', `v1,\n${BASE64.slice(1)}`],
  ];
  it.each(ignored)('skips an entry %s', (_, entry) => {
    expect(candidatesOf(`${entry} v1,${BASE64}`)).toEqual([BASE64]);
    expect(candidatesOf(`v1,${BASE64} ${entry}`)).toEqual([BASE64]);
  });

  it.each(ignored)('refuses a list that only has an entry %s', (_, entry) => {
    expect(codeOf(() => candidatesOf(entry))).toBe('headers_malformed');
  });

  it.each(['1', '0', '999999999999', '001764000000'])('accepts %s as a timestamp', (timestamp) => {
    const parsed = read({ ...valid, 'webhook-timestamp': timestamp });
    expect(parsed.timestamp).toBe(Number(timestamp));
    expect(parsed.signedPrefix).toBe(`msg_1.${timestamp}.`);
  });

  it.each([
    '1764000000zz',
    '-1',
    '+1',
    '1.5',
    '1e9',
    '0x10',
    ' 1',
    '1 ',
    '1\n',
    '١٢٣',
    '1'.repeat(13),
    'NaN',
    '1, 1',
  ])('refuses %j as a timestamp', (timestamp) => {
    expect(codeOf(() => read({ ...valid, 'webhook-timestamp': timestamp }))).toBe('headers_malformed');
  });

  it.each(['webhook-id', 'webhook-timestamp'])('refuses a repeated %s, even with equal values', (name) => {
    expect(codeOf(() => read({ ...valid, [name]: ['1', '1'] }))).toBe('headers_malformed');
  });

  it.each(['a', 'Größe 漢字 😀', 'a/b?c=d&e', '"; DROP', '\u0000', 'x'.repeat(10_000)])(
    'accepts any id: %j',
    (id) => {
      expect(read({ ...valid, 'webhook-id': id }).deliveryId).toBe(id);
    },
  );

  it('refuses an id with a period, which would let one signature fit several payloads', () => {
    expect(codeOf(() => read({ ...valid, 'webhook-id': 'msg.1' }))).toBe('headers_malformed');
  });

  it('refuses an id with a lone surrogate, which UTF-8 cannot encode', () => {
    expect(codeOf(() => read({ ...valid, 'webhook-id': 'msg_\ud800' }))).toBe('headers_malformed');
  });
});
