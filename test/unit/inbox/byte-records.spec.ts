import { describe, expect, it } from '@jest/globals';
import { ByteRecords } from '../../../lib/inbox/byte-records.js';
import { IntField, NumberField } from '../../../lib/inbox/record-fields.js';

describe('ByteRecords', () => {
  it('keep the fields of thousands of records apart', () => {
    const records = new ByteRecords(24);
    const [count, time] = [new IntField(records, 4), new NumberField(records, 8)];
    const slots = Array.from({ length: 3000 }, () => records.take());

    for (const slot of slots) {
      count.set(slot, -slot);
      time.set(slot, slot + 0.5);
    }

    expect(new Set(slots).size).toBe(3000);
    expect(slots.every((slot) => count.get(slot) === -slot && time.get(slot) === slot + 0.5)).toBe(true);
  });

  it('take the slots of released records before new ones', () => {
    const records = new ByteRecords(8);
    const [first, second, third] = [records.take(), records.take(), records.take()];
    records.link(first, third);
    records.release(first, third);

    const taken = [records.take(), records.take()];

    expect(taken.sort()).toEqual([first, third]);
    expect([first, second, third]).not.toContain(records.take());
  });

  it('refuse a slot that was never taken', () => {
    expect(() => new ByteRecords(8).next(1)).toThrow(RangeError);
  });
});
