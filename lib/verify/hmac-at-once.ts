import { hash, type KeyObject } from 'node:crypto';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** How long a message may be, in bytes. For longer ones, copying it takes more time than Node's Hmac object. */
export const MAX_MESSAGE_BYTES = 3072;

/** What RFC 2104 makes of a key: its two blocks, each with room for what is hashed after it. */
interface KeyBlocks {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

// Written anew for each message, since nothing here waits.
const BLOCKS = new WeakMap<KeyObject, KeyBlocks>();

/** HMAC-SHA256 (RFC 2104) by two hashes in one call each, which Node does faster than with an Hmac object. */
export function hmacAtOnce(key: KeyObject, prefix: string, payload: Uint8Array): Buffer {
  const { inner, outer } = BLOCKS.get(key) ?? rememberBlocks(key);
  const prefixEnd = BLOCK_BYTES + inner.write(prefix, BLOCK_BYTES);
  inner.set(payload, prefixEnd);
  const message = new Uint8Array(inner.buffer, inner.byteOffset, prefixEnd + payload.length);
  // A digest as text costs Node less than one as a Buffer.
  outer.write(hash('sha256', message, 'binary'), BLOCK_BYTES, 'binary');
  return Buffer.from(hash('sha256', outer, 'binary'), 'binary');
}

function rememberBlocks(key: KeyObject): KeyBlocks {
  const bytes = key.export();
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(bytes.length > BLOCK_BYTES ? hash('sha256', bytes, 'buffer') : bytes);
  const padded = (pad: number, room: number) =>
    Buffer.concat([block.map((byte) => byte ^ pad), Buffer.alloc(room)]);
  const blocks = { inner: padded(INNER_PAD, MAX_MESSAGE_BYTES), outer: padded(OUTER_PAD, DIGEST_BYTES) };
  BLOCKS.set(key, blocks);
  return blocks;
}
