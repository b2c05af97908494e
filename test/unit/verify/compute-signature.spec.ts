import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { computeSignature, MAX_MESSAGE_BYTES } from '../../../lib/verify/compute-signature.js';

const keys = fc.uint8Array({ minLength: 1, maxLength: 200 });
const about = (length: number) => fc.integer({ min: Math.floor(length) - 40, max: Math.floor(length) + 40 });
const prefixes = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  about(MAX_MESSAGE_BYTES / 3).map((length) => '漢'.repeat(length)),
);
const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  about(MAX_MESSAGE_BYTES).map((length) => Buffer.alloc(length, 'x')),
  fc.string({ unit: 'grapheme' }),
);

function nodesHmac(key: Uint8Array, prefix: string, payload: string | Uint8Array): string {
  return createHmac('sha256', key).update(prefix).update(payload).digest('hex');
}

describe('computeSignature', () => {
  it("agrees with Node's HMAC for keys, prefixes and payloads of every length", () => {
    fc.assert(
      fc.property(keys, prefixes, payloads, (key, prefix, payload) => {
        const computed = computeSignature(createSecretKey(key), prefix, payload, 'hex');
        expect(computed).toBe(nodesHmac(key, prefix, payload));
      }),
      { numRuns: 500 },
    );
  });

  it.each([63, 64, 65])('agrees with it for a key of %d bytes, about one block', (length) => {
    const key = Buffer.alloc(length, 0xa5);
    const computed = computeSignature(createSecretKey(key), 'msg_1.1.', Buffer.from('{}'), 'hex');
    expect(computed).toBe(nodesHmac(key, 'msg_1.1.', Buffer.from('{}')));
  });

  it.each([-1, 0, 1])('agrees with it for a message of the longest length that is copied, and %d', (more) => {
    const key = Buffer.alloc(32, 1);
    const payload = Buffer.alloc(MAX_MESSAGE_BYTES + more, 'x');
    expect(computeSignature(createSecretKey(key), '', payload, 'hex')).toBe(nodesHmac(key, '', payload));
  });

  it('agrees with it for a prefix of the longest length in characters of three bytes', () => {
    const key = Buffer.alloc(32, 1);
    const prefix = '漢'.repeat(Math.floor(MAX_MESSAGE_BYTES / 3));
    const payload = Buffer.alloc(MAX_MESSAGE_BYTES % 3, 'x');
    expect(computeSignature(createSecretKey(key), prefix, payload, 'hex')).toBe(
      nodesHmac(key, prefix, payload),
    );
  });

  it('keeps nothing of a longer message for a shorter one after it', () => {
    const key = createSecretKey(Buffer.alloc(32, 1));
    computeSignature(key, 'msg_1.1.', Buffer.alloc(MAX_MESSAGE_BYTES - 100, 1), 'hex');
    const short = computeSignature(key, 'msg_1.1.', Buffer.from('{}'), 'hex');
    expect(short).toBe(nodesHmac(Buffer.alloc(32, 1), 'msg_1.1.', '{}'));
  });
});
