import type { InboxKey } from './inbox-store.js';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const MIXER = 0x85ebca6b;

/** 32 bits that differ for most keys: FNV-1a, with the upper bits mixed into the lower ones. */
export function keyHash({ endpoint, eventId }: InboxKey): number {
  const hash = fnv1a(eventId, fnv1a(endpoint, FNV_OFFSET));
  const mixed = Math.imul(hash ^ (hash >>> 16), MIXER);
  return mixed ^ (mixed >>> 13);
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  }
  return hash;
}
