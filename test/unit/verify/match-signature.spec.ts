import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { computeSignature, isSignedWith } from '../../../lib/verify/compute-signature.js';
import type { SignatureEncoding } from '../../../lib/verify/parsed-signature.js';
import { KEY, PAYLOAD } from './verify.fixtures.js';

const key = createSecretKey(KEY);
const otherKey = createSecretKey(Buffer.from('another key'));

describe.each<SignatureEncoding>(['base64', 'hex'])('isSignedWith, in %s', (encoding) => {
  const right = computeSignature(key, '1.', PAYLOAD, encoding);
  const wrong = computeSignature(otherKey, '1.', PAYLOAD, encoding);
  const holds = (...candidates: string[]) => {
    const claim = { scheme: 'standard', timestamp: 1, signedPrefix: '1.', candidates, encoding } as const;
    return isSignedWith(key, claim, PAYLOAD);
  };

  it('finds the right signature among others', () => {
    expect(holds(wrong, right, wrong)).toBe(true);
    expect(holds(wrong, wrong)).toBe(false);
    expect(holds()).toBe(false);
  });

  it('takes no beginning of the right signature, which it has just seen, for it', () => {
    expect(holds(right)).toBe(true);
    expect(holds(right.slice(0, -1))).toBe(false);
    expect(holds('')).toBe(false);
  });

  it('takes nothing that begins with the right signature for it', () => {
    expect(holds(`${right}A`)).toBe(false);
  });
});
