import { describe, expect, it } from '@jest/globals';
import { parseScalekitSignature } from '../../../lib/verify/signature.js';
import { collectSignatureHeaders } from '../../../lib/verify/signature-headers.js';
import { codeOf } from './verify.fixtures.js';

const HEX = Buffer.alloc(32, 0xab).toString('hex');
const OTHER = Buffer.alloc(32, 1).toString('hex');

function read(value: string | string[]) {
  return parseScalekitSignature(collectSignatureHeaders({ 'scalekit-signature': value }));
}
function candidatesOf(value: string | string[]): string[] {
  return read(value).candidates.map((candidate) => Buffer.from(candidate).toString('hex'));
}

describe('parseScalekitSignature', () => {
  it('reads the timestamp and the signature; there is no delivery id', () => {
    expect(read(`t=1764000000,v1=${HEX}`)).toEqual({
      scheme: 'scalekit',
      timestamp: 1764000000,
      signedPrefix: '1764000000.',
      candidates: [Buffer.from(HEX, 'hex')],
    });
  });

  it.each([
    ['spaces after the commas', `t=1, v1=${HEX}, v1=${OTHER}`],
    ['another order', `v1=${HEX},v1=${OTHER},t=1`],
    ['upper-case digits', `t=1,v1=${HEX.toUpperCase()},v1=${OTHER}`],
    ['several headers with one timestamp', [`t=1,v1=${HEX}`, `t=1,v1=${OTHER}`]],
    ['fields with other names', `t=1,v0=${'0'.repeat(64)},v1=${HEX},x,=,v1=${OTHER},`],
  ])('reads %s', (_, value) => {
    expect(read(value).timestamp).toBe(1);
    expect(candidatesOf(value)).toEqual([HEX, OTHER]);
  });

  it.each(['', 'ab', HEX.slice(1), `${HEX}0`, HEX.replace('a', 'g'), `0x${HEX.slice(2)}`, `=${HEX}`])(
    'skips a v1 of %j, and refuses it on its own',
    (noise) => {
      expect(candidatesOf(`t=1,v1=${noise},v1=${HEX}`)).toEqual([HEX]);
      expect(codeOf(() => read(`t=1,v1=${noise}`))).toBe('headers_malformed');
    },
  );

  it.each([
    ['no timestamp', `v1=${HEX}`],
    ['an empty timestamp', `t=,v1=${HEX}`],
    ['two timestamps', `t=1,t=2,v1=${HEX}`],
    ['two timestamps with the same value, written differently', `t=1,t=01,v1=${HEX}`],
    ['two headers with different timestamps', [`t=1,v1=${HEX}`, `t=2,v1=${HEX}`]],
    ['a timestamp with letters', `t=123abc,v1=${HEX}`],
    ['a negative timestamp', `t=-1,v1=${HEX}`],
    ['a timestamp with 13 digits', `t=1764000000000,v1=${HEX}`],
    ['no signature', 't=1'],
    ['only a signature of another version', `t=1,v2=${HEX}`],
    ['anything else', 'sha256=abc'],
  ])('refuses %s', (_, value) => {
    expect(codeOf(() => read(value))).toBe('headers_malformed');
  });
});
