import { NO_SLOT } from './byte-records.js';
import type { InboxKey } from './inbox-store.js';

/** Knows the key of what is in each slot. */
export interface KeyedSlots {
  hasKey(slot: number, key: InboxKey): boolean;
}

const FEWEST_PLACES = 1024;
const PLACE_BYTES = 8;
const SLOT_AT = 4;
// With more places taken, finding one would take many looks.
const LARGEST_SHARE = 0.5;

/**
 * Finds slots by the hash of their key. A `Map` slows down as it grows, and again with all that was deleted from it;
 * here a look at one place, seldom at more, tells what is known.
 */
export class SlotIndex {
  #places = new DataView(new ArrayBuffer(FEWEST_PLACES * PLACE_BYTES));
  #lastPlace = FEWEST_PLACES - 1;
  #size = 0;

  constructor(private readonly slots: KeyedSlots) {}

  get size(): number {
    return this.#size;
  }

  /** The slot of a key with this hash, or `NO_SLOT`. */
  find(hash: number, key: InboxKey): number {
    for (let place = hash & this.#lastPlace; ; place = this.#after(place)) {
      const slot = this.#slotAt(place);
      if (slot === NO_SLOT || (this.#hashAt(place) === hash && this.slots.hasKey(slot, key))) return slot;
    }
  }

  /** The slot where a key with this hash is sought first, or `NO_SLOT`. */
  first(hash: number): number {
    return this.#slotAt(hash & this.#lastPlace);
  }

  add(hash: number, slot: number): void {
    this.#size += 1;
    if (this.#size > (this.#lastPlace + 1) * LARGEST_SHARE) this.#grow();
    this.#put(hash, slot);
  }

  /** Removes a slot that was added with this hash. */
  remove(hash: number, slot: number): void {
    let gap = hash & this.#lastPlace;
    while (this.#slotAt(gap) !== slot) gap = this.#after(gap);
    // A search ends at a gap, so those move up into it that are sought from its place or an earlier one.
    for (let place = this.#after(gap); this.#slotAt(place) !== NO_SLOT; place = this.#after(place)) {
      const distanceFromFirstChoice = (place - this.#hashAt(place)) & this.#lastPlace;
      if (distanceFromFirstChoice < ((place - gap) & this.#lastPlace)) continue;
      this.#write(gap, this.#hashAt(place), this.#slotAt(place));
      gap = place;
    }
    this.#write(gap, 0, NO_SLOT);
    this.#size -= 1;
  }

  #put(hash: number, slot: number): void {
    let place = hash & this.#lastPlace;
    while (this.#slotAt(place) !== NO_SLOT) place = this.#after(place);
    this.#write(place, hash, slot);
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new DataView(new ArrayBuffer(old.byteLength * 2));
    this.#lastPlace = this.#places.byteLength / PLACE_BYTES - 1;
    for (let at = 0; at < old.byteLength; at += PLACE_BYTES) {
      const slot = old.getInt32(at + SLOT_AT);
      if (slot !== NO_SLOT) this.#put(old.getInt32(at), slot);
    }
  }

  #after(place: number): number {
    return (place + 1) & this.#lastPlace;
  }

  #hashAt(place: number): number {
    return this.#places.getInt32(place * PLACE_BYTES);
  }

  #slotAt(place: number): number {
    return this.#places.getInt32(place * PLACE_BYTES + SLOT_AT);
  }

  #write(place: number, hash: number, slot: number): void {
    this.#places.setInt32(place * PLACE_BYTES, hash);
    this.#places.setInt32(place * PLACE_BYTES + SLOT_AT, slot);
  }
}
