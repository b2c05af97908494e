import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { computeSignature, SIGNATURE_BYTES } from './compute-signature.js';
import type { SignatureClaim } from './signature-claim.js';

// Used again each time, since nothing here waits: making buffers takes longer than comparing them.
const EXPECTED = Buffer.alloc(SIGNATURE_BYTES);
const CANDIDATE = Buffer.alloc(SIGNATURE_BYTES);

/** Whether one of the claimed signatures was made with this key. Compared in constant time. */
export function isSignedWith(key: KeyObject, claim: SignatureClaim, payload: string | Uint8Array): boolean {
  computeSignature(key, claim.signedPrefix, payload, EXPECTED);
  for (const candidate of claim.candidates) {
    const length = CANDIDATE.write(candidate, claim.encoding);
    if (length === SIGNATURE_BYTES && timingSafeEqual(CANDIDATE, EXPECTED)) return true;
  }
  return false;
}
