import { createHmac, type KeyObject } from 'node:crypto';

/**
 * The HMAC-SHA256 of the signed prefix and the payload, fed one after the other: the payload is neither
 * copied nor encoded anew.
 */
export function computeSignature(key: KeyObject, signedPrefix: string, payload: string | Uint8Array): Buffer {
  return createHmac('sha256', key).update(signedPrefix).update(payload).digest();
}
