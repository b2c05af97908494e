import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { ParsedSignature } from './parsed-signature.js';

/** How a signature is written in a header: `standard` uses base64, `scalekit` uses hex. */
export type SignatureEncoding = 'base64' | 'hex';

/** Returns the HMAC-SHA256 of the signed prefix and the payload. Strings are signed as UTF-8. */
export function computeSignature(
  key: KeyObject,
  signedPrefix: string,
  payload: string | Uint8Array,
  encoding: SignatureEncoding,
): string {
  return createHmac('sha256', key).update(signedPrefix).update(payload).digest(encoding);
}

/** Whether the key made one of the signatures in the headers. Signatures are compared in constant time. */
export function isSignedWith(
  key: KeyObject,
  { signedPrefix, candidates }: ParsedSignature,
  payload: string | Uint8Array,
): boolean {
  const expected = Buffer.from(computeSignature(key, signedPrefix, payload, 'base64'), 'base64');
  return candidates.some(
    (candidate) => candidate.length === expected.length && timingSafeEqual(candidate, expected),
  );
}
