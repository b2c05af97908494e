import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { computeSignature } from './compute-signature.js';
import { SIGNATURE_LENGTHS, type SignatureClaim, type SignatureEncoding } from './signature-claim.js';

// Used again each time, since nothing here waits: making buffers takes longer than comparing them.
const COMPARED = { base64: buffersFor('base64'), hex: buffersFor('hex') } as const;

/**
 * Whether one of the claimed signatures was made with this key. Compared in constant time, and as text: where Node decodes
 * base64 with AVX-512, the next hash takes a tenth longer.
 */
export function isSignedWith(key: KeyObject, claim: SignatureClaim, payload: string | Uint8Array): boolean {
  const { expected, candidate } = COMPARED[claim.encoding];
  expected.write(computeSignature(key, claim.signedPrefix, payload, claim.encoding), 'binary');
  for (const text of claim.candidates) {
    candidate.write(text, 'binary');
    if (text.length === candidate.length && timingSafeEqual(candidate, expected)) return true;
  }
  return false;
}

function buffersFor(encoding: SignatureEncoding) {
  const length = SIGNATURE_LENGTHS[encoding];
  return { expected: Buffer.alloc(length), candidate: Buffer.alloc(length) };
}
