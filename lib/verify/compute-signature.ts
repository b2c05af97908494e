import { createHmac, type KeyObject } from 'node:crypto';
import { hmacAtOnce, MAX_MESSAGE_BYTES } from './hmac-at-once.js';

/** The length of a signature: an HMAC-SHA256. */
export const SIGNATURE_BYTES = 32;

// What a character of the prefix may take in UTF-8.
const MAX_CHARACTER_BYTES = 3;

/**
 * The HMAC-SHA256 of the signed prefix and the payload, in UTF-8 where they are text. A large payload is neither copied
 * nor encoded anew.
 *
 * @param into what it is written to
 */
export function computeSignature(
  key: KeyObject,
  signedPrefix: string,
  payload: string | Uint8Array,
  into = Buffer.alloc(SIGNATURE_BYTES),
): Buffer {
  const isSmall = signedPrefix.length * MAX_CHARACTER_BYTES + payload.length <= MAX_MESSAGE_BYTES;
  // A digest as text costs Node less than one as a Buffer.
  const digest =
    isSmall && typeof payload !== 'string'
      ? hmacAtOnce(key, signedPrefix, payload)
      : createHmac('sha256', key).update(signedPrefix).update(payload).digest('binary');
  into.write(digest, 'binary');
  return into;
}
