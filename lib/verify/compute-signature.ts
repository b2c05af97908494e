import { createHmac, type KeyObject } from 'node:crypto';
import { hmacAtOnce, MAX_MESSAGE_BYTES } from './hmac-at-once.js';
import type { SignatureEncoding } from './signature-claim.js';

// What a character of the prefix may take in UTF-8.
const MAX_CHARACTER_BYTES = 3;

/**
 * The HMAC-SHA256 of the signed prefix and the payload, in UTF-8 where they are text. A large payload is neither copied
 * nor encoded anew.
 */
export function computeSignature(
  key: KeyObject,
  signedPrefix: string,
  payload: string | Uint8Array,
  encoding: SignatureEncoding,
): string {
  const isSmall = signedPrefix.length * MAX_CHARACTER_BYTES + payload.length <= MAX_MESSAGE_BYTES;
  return isSmall && typeof payload !== 'string'
    ? hmacAtOnce(key, signedPrefix, payload, encoding)
    : createHmac('sha256', key).update(signedPrefix).update(payload).digest(encoding);
}
