import type { ByteRecords } from './byte-records.js';

const LENGTH_BYTES = 1;
const ON_THE_HEAP = 0xff;
const LAST_CODE_OF_A_BYTE = 0xff;

/**
 * A text, `at` so many bytes from the start of each record: its length, and a byte for each character. One that is
 * longer, or has characters that take more than a byte, is kept on the heap.
 */
export class TextField {
  readonly #onTheHeap = new Map<number, string>();

  constructor(
    private readonly records: ByteRecords,
    private readonly at: number,
    private readonly bytes: number,
  ) {}

  get(slot: number): string {
    const chunk = this.records.chunkOf(slot);
    const start = this.#startOf(slot);
    const length = chunk.getUint8(start);
    if (length === ON_THE_HEAP) return this.#onTheHeap.get(slot) ?? '';
    return Buffer.from(chunk.buffer, chunk.byteOffset + start + LENGTH_BYTES, length).toString('latin1');
  }

  set(slot: number, text: string): void {
    const chunk = this.records.chunkOf(slot);
    const start = this.#startOf(slot);
    if (text.length < this.bytes && writeBytes(chunk, start + LENGTH_BYTES, text)) {
      chunk.setUint8(start, text.length);
    } else {
      chunk.setUint8(start, ON_THE_HEAP);
      this.#onTheHeap.set(slot, text);
    }
  }

  equals(slot: number, text: string): boolean {
    const chunk = this.records.chunkOf(slot);
    const start = this.#startOf(slot);
    const length = chunk.getUint8(start);
    if (length === ON_THE_HEAP) return this.#onTheHeap.get(slot) === text;
    return length === text.length && hasBytes(chunk, start + LENGTH_BYTES, text);
  }

  /** To be called before a record is released. */
  clear(slot: number): void {
    this.#onTheHeap.delete(slot);
  }

  #startOf(slot: number): number {
    return this.records.offsetOf(slot) + this.at;
  }
}

/** Whether the text could be written: not where a character takes more than a byte. */
function writeBytes(chunk: DataView, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > LAST_CODE_OF_A_BYTE) return false;
    chunk.setUint8(start + index, code);
  }
  return true;
}

function hasBytes(chunk: DataView, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (chunk.getUint8(start + index) !== text.charCodeAt(index)) return false;
  }
  return true;
}
