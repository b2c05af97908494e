import { describe, expect, it } from '@jest/globals';
import { ByteRecords } from '../../../lib/inbox/byte-records.js';
import { TextField } from '../../../lib/inbox/text-field.js';

describe('TextField', () => {
  it.each(['', 'a', '1234567', '12345678', 'é\u00ff', '🦊', 'x'.repeat(1000), '\u0000'])(
    'keeps %j',
    (text) => {
      const records = new ByteRecords(12);
      const field = new TextField(records, 4, 8);
      const [before, slot, after] = [records.take(), records.take(), records.take()];
      for (const neighbour of [before, after]) field.set(neighbour, 'next');

      field.set(slot, text);

      expect([before, slot, after].map((each) => field.get(each))).toEqual(['next', text, 'next']);
      expect(field.equals(slot, text)).toBe(true);
      expect(field.equals(slot, `${text}x`)).toBe(false);
      expect(field.equals(slot, text.replace(/^./su, '?'))).toBe(text === '');
    },
  );

  it('keeps a text that is too long for its bytes in the last record of a chunk', () => {
    const records = new ByteRecords(12);
    const field = new TextField(records, 4, 8);
    const slots = Array.from({ length: 3000 }, () => records.take());
    for (const slot of slots) field.set(slot, `text number ${slot}`);

    expect(slots.map((slot) => field.get(slot))).toEqual(slots.map((slot) => `text number ${slot}`));
  });

  it('keeps another text in the place of one that was cleared', () => {
    const records = new ByteRecords(12);
    const field = new TextField(records, 4, 8);
    const slot = records.take();
    field.set(slot, 'too long for its bytes');

    field.clear(slot);
    field.set(slot, 'short');

    expect(field.get(slot)).toBe('short');
  });
});
