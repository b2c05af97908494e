import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { computeSignature, SIGNATURE_BYTES } from './compute-signature.js';
import type { SignatureClaim } from './signature-claim.js';

// Used again each time, since nothing here waits: making buffers takes longer than comparing them.
const EXPECTED = Buffer.alloc(SIGNATURE_BYTES);
// With room for a byte too many, which would be cut off otherwise.
const CANDIDATE = Buffer.alloc(SIGNATURE_BYTES + 1);
const CANDIDATE_SIGNATURE = CANDIDATE.subarray(0, SIGNATURE_BYTES);

/** Whether one of the claimed signatures was made with this key. Compared in constant time. */
export function isSignedWith(key: KeyObject, claim: SignatureClaim, payload: string | Uint8Array): boolean {
  computeSignature(key, claim.signedPrefix, payload, EXPECTED);
  for (const candidate of claim.candidates) {
    const length = CANDIDATE.write(candidate, claim.encoding);
    if (length === SIGNATURE_BYTES && timingSafeEqual(CANDIDATE_SIGNATURE, EXPECTED)) return true;
  }
  return false;
}
