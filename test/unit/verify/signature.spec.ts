import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { computeSignature, isSignedWith } from '../../../lib/verify/signature.js';
import { KEY, PAYLOAD } from './verify.fixtures.js';

const keys = fc.uint8Array({ minLength: 1, maxLength: 200 });
const texts = fc.string({ unit: 'grapheme' });
const payloads = fc.oneof(fc.uint8Array({ maxLength: 300 }), texts);

describe('computeSignature', () => {
  it('is the HMAC-SHA256 of the prefix and the payload, for keys, prefixes and payloads of any length', () => {
    fc.assert(
      fc.property(keys, texts, payloads, (key, prefix, payload) => {
        const signed = Buffer.concat([Buffer.from(prefix), Buffer.from(payload)]);
        expect(computeSignature(createSecretKey(key), prefix, payload)).toEqual(
          createHmac('sha256', key).update(signed).digest(),
        );
      }),
      { numRuns: 500 },
    );
  });

  it.each([63, 64, 65])('accepts a key of %d bytes, around the size of one block', (length) => {
    const key = Buffer.alloc(length, 0xa5);
    const computed = computeSignature(createSecretKey(key), 'msg_1.1.', Buffer.from('{}'));
    expect(computed).toEqual(createHmac('sha256', key).update('msg_1.1.{}').digest());
  });
});

describe('isSignedWith', () => {
  const key = createSecretKey(KEY);
  const otherKey = createSecretKey(Buffer.from('another key'));
  const right = computeSignature(key, '1.', PAYLOAD);
  const wrong = computeSignature(otherKey, '1.', PAYLOAD);

  function isSigned(...candidates: Uint8Array[]): boolean {
    return isSignedWith(key, { scheme: 'standard', timestamp: 1, signedPrefix: '1.', candidates }, PAYLOAD);
  }

  it('finds the right signature among others', () => {
    expect(isSigned(wrong, right, wrong)).toBe(true);
    expect(isSigned(wrong, wrong)).toBe(false);
    expect(isSigned()).toBe(false);
  });

  it('refuses the beginning of the right signature', () => {
    expect(isSigned(right.subarray(0, -1))).toBe(false);
    expect(isSigned(Buffer.alloc(0))).toBe(false);
  });

  it('refuses anything longer that begins with the right signature', () => {
    expect(isSigned(Buffer.concat([right, Buffer.from('A')]))).toBe(false);
  });
});
