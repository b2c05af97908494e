import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { signWebhook } from '../../../lib/verify/signature.js';
import { verifyWebhookSignature } from '../../../lib/verify/verify-signature.js';
import { codeOf, NOW, NOW_SECONDS } from './verify.fixtures.js';

const keys = fc.uint8Array({ minLength: 24, maxLength: 64 });
const secretOf = (key: Uint8Array) => `whsec_${Buffer.from(key).toString('base64')}`;
const payloads = fc.uint8Array({ maxLength: 200 });
const schemes = fc.constantFrom('standard', 'scalekit');
const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((id) => !id.includes('.'));
const message = fc.record({ key: keys, payload: payloads, scheme: schemes, id: ids });

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

function verify(
  headers: Record<string, string>,
  payload: Uint8Array,
  key: Uint8Array,
  toleranceSeconds = 1e12,
) {
  return verifyWebhookSignature({ payload, headers, secrets: secretOf(key), now: NOW, toleranceSeconds });
}

function sign({
  key,
  payload,
  scheme,
  id,
}: {
  key: Uint8Array;
  payload: Uint8Array;
  scheme: 'standard' | 'scalekit';
  id: string;
}) {
  return signWebhook({ payload, secret: secretOf(key), id, timestamp: NOW_SECONDS, scheme });
}

/** Changes the signature in the headers of either scheme. */
function withSignature(
  headers: Record<string, string>,
  change: (digest: Uint8Array) => Uint8Array,
): Record<string, string> {
  const [, base64 = ''] = headers['webhook-signature']?.split(',') ?? [];
  if (base64 !== '') {
    const digest = change(Buffer.from(base64, 'base64'));
    return { ...headers, 'webhook-signature': `v1,${Buffer.from(digest).toString('base64')}` };
  }
  const [t, hex = ''] = headers['scalekit-signature']?.split(',v1=') ?? [];
  return { 'scalekit-signature': `${t},v1=${Buffer.from(change(Buffer.from(hex, 'hex'))).toString('hex')}` };
}

const anyBit = fc.nat(100_000);

describe('verifyWebhookSignature, for any message', () => {
  it('accepts what signWebhook signs', () => {
    fc.assert(
      fc.property(message, (given) => {
        const verified = verify(sign(given), given.payload, given.key);
        expect(verified.deliveryId).toBe(given.scheme === 'standard' ? given.id : undefined);
      }),
    );
  });

  it('refuses any flipped bit in the body', () => {
    fc.assert(
      fc.property(message, anyBit, (given, bit) => {
        fc.pre(given.payload.length > 0);
        const payload = flipped(given.payload, bit % (given.payload.length * 8));
        expect(codeOf(() => verify(sign(given), payload, given.key))).toBe('signature_mismatch');
      }),
    );
  });

  it('refuses any flipped bit in the secret', () => {
    fc.assert(
      fc.property(message, anyBit, (given, bit) => {
        const key = flipped(given.key, bit % (given.key.length * 8));
        expect(codeOf(() => verify(sign(given), given.payload, key))).toBe('signature_mismatch');
      }),
    );
  });

  it('refuses any flipped bit in the signature', () => {
    fc.assert(
      fc.property(message, fc.nat(255), (given, bit) => {
        const headers = withSignature(sign(given), (digest) => flipped(digest, bit));
        expect(codeOf(() => verify(headers, given.payload, given.key))).toBe('signature_mismatch');
      }),
    );
  });

  it('refuses any flipped bit in the timestamp', () => {
    fc.assert(
      fc.property(message, fc.nat(79), (given, bit) => {
        const text = Buffer.from(flipped(Buffer.from(`${NOW_SECONDS}`), bit)).toString('latin1');
        const headers = Object.entries(sign(given)).map(([name, value]) => [
          name,
          value.replace(new RegExp(`^(t=)?${NOW_SECONDS}`), (_, t = '') => t + text),
        ]);
        const code = codeOf(() => verify(Object.fromEntries(headers), given.payload, given.key));
        expect(['signature_mismatch', 'headers_malformed']).toContain(code);
      }),
    );
  });

  it('refuses any flipped bit in the id', () => {
    fc.assert(
      fc.property(message, anyBit, (given, bit) => {
        const headers = sign({ ...given, scheme: 'standard' });
        const idBytes = Buffer.from(given.id);
        const id = Buffer.from(flipped(idBytes, bit % (idBytes.length * 8))).toString('latin1');
        const changed = { ...headers, 'webhook-id': id };
        const code = codeOf(() => verify(changed, given.payload, given.key));
        expect(['signature_mismatch', 'headers_malformed']).toContain(code);
      }),
    );
  });

  it('never crashes on any headers, and accepts none that were not signed', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 120 });
    const values = fc.oneof(texts, fc.array(texts, { maxLength: 3 }), fc.constant(undefined));
    const noise = fc.record({
      'webhook-id': values,
      'webhook-timestamp': fc.oneof(values, fc.constant(`${NOW_SECONDS}`)),
      'webhook-signature': fc.oneof(
        values,
        fc.base64String({ minLength: 44, maxLength: 44 }).map((text) => `v1,${text}`),
      ),
      'scalekit-signature': fc.oneof(
        values,
        texts.map((text) => `t=${NOW_SECONDS},v1=${text}`),
      ),
    });
    fc.assert(
      fc.property(noise, keys, payloads, (headers, key, payload) => {
        const run = () => verifyWebhookSignature({ payload, headers, secrets: secretOf(key), now: NOW });
        expect(codeOf(run)).toMatch(/^headers_|^signature_mismatch$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe('verifyWebhookSignature, for any list of signatures', () => {
  const noise = fc.oneof(
    fc.constantFrom('v1,', 'v1,YWJj', 'v1a,YWJj', 'v2,', ',', 'v1', 'v1,='),
    fc.base64String({ minLength: 44, maxLength: 44 }).map((text) => `v1,${text}`),
    fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => `v1,${Buffer.from(bytes).toString('base64url')}`),
    fc.string({ unit: 'binary', maxLength: 50 }).map((text) => text.replaceAll(/[ ,]/g, '')),
  );
  const separators = fc.constantFrom(' ', ', ', '  ', ',');

  it('finds the matching one, whatever surrounds and separates it', () => {
    fc.assert(
      fc.property(
        message,
        fc.array(noise),
        fc.array(noise),
        separators,
        (given, before, after, separator) => {
          const headers = sign({ ...given, scheme: 'standard' });
          const list = [...before, headers['webhook-signature'], ...after].join(separator);
          const verified = verify({ ...headers, 'webhook-signature': list }, given.payload, given.key);
          expect(verified.deliveryId).toBe(given.id);
        },
      ),
    );
  });

  it('finds it in the scalekit-signature header as well, in any order', () => {
    const fields = fc.oneof(
      fc.string({ maxLength: 70 }).map((text) => `v1=${text.replaceAll(',', '')}`),
      fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map((bytes) => `v1=${Buffer.from(bytes).toString('hex')}`),
      fc.constantFrom('v0=abc', 'x', '=', ''),
    );
    fc.assert(
      fc.property(message, fc.array(fields), fc.nat(), fc.nat(), (given, others, at, timestampAt) => {
        const headers = sign({ ...given, scheme: 'scalekit' });
        const [t = '', signature = ''] = headers['scalekit-signature']?.split(',') ?? [];
        const withOne = others.toSpliced(at % (others.length + 1), 0, signature);
        const list = withOne.toSpliced(timestampAt % (withOne.length + 1), 0, t).join(', ');
        expect(verify({ 'scalekit-signature': list }, given.payload, given.key).timestamp).toEqual(NOW);
      }),
    );
  });
});
