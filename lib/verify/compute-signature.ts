import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type ParsedSignature, SIGNATURE_LENGTHS, type SignatureEncoding } from './parsed-signature.js';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** How long a message may be, in bytes. Copying longer ones takes about as long as Node's Hmac object. */
export const MAX_MESSAGE_BYTES = 20 * 1024;

/** The two blocks that RFC 2104 makes of a key, the outer one with room for the inner digest. */
interface KeyBlocks {
  readonly inner: Uint8Array;
  readonly outer: Buffer;
}

const BLOCKS = new WeakMap<KeyObject, KeyBlocks>();
// Used again each time, since nothing here waits.
const MESSAGE = Buffer.alloc(BLOCK_BYTES + MAX_MESSAGE_BYTES);

/** HMAC-SHA256 (RFC 2104) by two hashes in one call each, which Node does faster than with an Hmac object. */
function hmacAtOnce(
  key: KeyObject,
  prefix: string,
  payload: Uint8Array,
  encoding: SignatureEncoding,
): string {
  const { inner, outer } = BLOCKS.get(key) ?? rememberBlocks(key);
  MESSAGE.set(inner);
  const prefixEnd = BLOCK_BYTES + MESSAGE.write(prefix, BLOCK_BYTES);
  MESSAGE.set(payload, prefixEnd);
  const message = new Uint8Array(MESSAGE.buffer, MESSAGE.byteOffset, prefixEnd + payload.length);
  outer.write(hash('sha256', message, 'binary'), BLOCK_BYTES, 'binary');
  return hash('sha256', outer, encoding);
}

function rememberBlocks(key: KeyObject): KeyBlocks {
  const bytes = key.export();
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(bytes.length > BLOCK_BYTES ? hash('sha256', bytes, 'buffer') : bytes);
  const inner = block.map((byte) => byte ^ INNER_PAD);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  outer.set(block.map((byte) => byte ^ OUTER_PAD));
  const blocks = { inner, outer };
  BLOCKS.set(key, blocks);
  return blocks;
}

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

// Used again each time, since nothing here waits: making buffers takes longer than comparing them.
const COMPARED = { base64: buffersFor('base64'), hex: buffersFor('hex') } as const;

/**
 * Whether one of the claimed signatures was made with this key. Compared in constant time, and as text: where Node decodes
 * base64 with AVX-512, the next hash takes a tenth longer.
 */
export function isSignedWith(key: KeyObject, claim: ParsedSignature, payload: string | Uint8Array): boolean {
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
