import type { ByteRecords } from './byte-records.js';

/** A whole number of 32 bits, `at` so many bytes from the start of each record. */
export class IntField {
  constructor(
    private readonly records: ByteRecords,
    private readonly at: number,
  ) {}

  get(slot: number): number {
    return this.records.chunkOf(slot).getInt32(this.records.offsetOf(slot) + this.at);
  }

  set(slot: number, value: number): void {
    this.records.chunkOf(slot).setInt32(this.records.offsetOf(slot) + this.at, value);
  }
}

/** A number of 64 bits, `at` so many bytes from the start of each record. */
export class NumberField {
  constructor(
    private readonly records: ByteRecords,
    private readonly at: number,
  ) {}

  get(slot: number): number {
    return this.records.chunkOf(slot).getFloat64(this.records.offsetOf(slot) + this.at);
  }

  set(slot: number, value: number): void {
    this.records.chunkOf(slot).setFloat64(this.records.offsetOf(slot) + this.at, value);
  }
}
