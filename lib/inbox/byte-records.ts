/** The slot of no record. */
export const NO_SLOT = 0;

const CHUNK_BITS = 10;
const RECORDS_PER_CHUNK = 1 << CHUNK_BITS;

/**
 * Records of so many bytes each, found by their slot; the first four bytes of each may link it to another. They lie
 * outside of the heap, since a million objects would take the garbage collector's time; and in chunks, so that they
 * grow without being copied. Released records wait for others to take their place.
 */
export class ByteRecords {
  readonly #chunks: DataView[] = [];
  #firstReleased = NO_SLOT;
  #lastSlot = NO_SLOT;

  constructor(private readonly bytes: number) {}

  /** The slot of a record to write. Its bytes are zero, or those of a record that was released. */
  take(): number {
    const slot = this.#firstReleased;
    if (slot !== NO_SLOT) {
      this.#firstReleased = this.next(slot);
      return slot;
    }
    this.#lastSlot += 1;
    if (this.#lastSlot >> CHUNK_BITS >= this.#chunks.length) {
      this.#chunks.push(new DataView(new ArrayBuffer(RECORDS_PER_CHUNK * this.bytes)));
    }
    return this.#lastSlot;
  }

  /** Releases records that are linked, from the first to the last. */
  release(first: number, last = first): void {
    this.link(last, this.#firstReleased);
    this.#firstReleased = first;
  }

  /** The slot that a record is linked to. */
  next(slot: number): number {
    return this.chunkOf(slot).getInt32(this.offsetOf(slot));
  }

  link(slot: number, next: number): void {
    this.chunkOf(slot).setInt32(this.offsetOf(slot), next);
  }

  /** The bytes in which a record lies, among others. */
  chunkOf(slot: number): DataView {
    const chunk = this.#chunks[slot >> CHUNK_BITS];
    if (!chunk) throw new RangeError(`no record has the slot ${slot}`);
    return chunk;
  }

  /** Where a record starts in its chunk. */
  offsetOf(slot: number): number {
    return (slot & (RECORDS_PER_CHUNK - 1)) * this.bytes;
  }
}
