import { describe, expect, it } from '@jest/globals';
import { NO_SLOT } from '../../../lib/inbox/byte-records.js';
import type { InboxKey } from '../../../lib/inbox/inbox-store.js';
import { SlotIndex } from '../../../lib/inbox/slot-index.js';

/** An index of slots whose event ids are their numbers, each added with the hash that is given for it. */
function anIndex(hashOf: (slot: number) => number) {
  const index = new SlotIndex({ hasKey: (slot, { eventId }) => eventId === String(slot) });
  const keyOf = (slot: number): InboxKey => ({ endpoint: 'default', eventId: String(slot) });
  return {
    index,
    add: (slot: number) => index.add(hashOf(slot), slot),
    remove: (slot: number) => index.remove(hashOf(slot), slot),
    find: (slot: number) => index.find(hashOf(slot), keyOf(slot)),
  };
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

describe('SlotIndex', () => {
  it('finds what was added, and nothing else', () => {
    const { index, add, find } = anIndex((slot) => slot);
    add(1);

    expect(find(1)).toBe(1);
    expect(find(2)).toBe(NO_SLOT);
    expect(index.size).toBe(1);
  });

  it('tells keys apart that have the same hash', () => {
    const { add, remove, find } = anIndex(() => 42);
    for (const slot of numbers(1, 20)) add(slot);

    remove(7);

    expect(numbers(1, 20).map(find)).toEqual(numbers(1, 20).map((slot) => (slot === 7 ? NO_SLOT : slot)));
  });

  it.each([
    ['all want the same place', () => -1],
    ['many want neighbouring places, the last and the first among them', (slot: number) => (slot % 7) - 3],
    ['each wants a place of its own', (slot: number) => slot * 31],
    ['hashes are large or negative', (slot: number) => Math.imul(slot, 0x9e3779b1)],
  ])('finds all but those removed where %s', (_, hashOf) => {
    const { index, add, remove, find } = anIndex(hashOf);
    for (const slot of numbers(1, 300)) add(slot);
    for (const slot of numbers(1, 300)) if (slot % 3 !== 0) remove(slot);

    expect(numbers(1, 300).filter((slot) => find(slot) === slot)).toEqual(
      numbers(1, 300).filter((slot) => slot % 3 === 0),
    );
    expect(index.size).toBe(100);
  });

  it('finds all after it has grown', () => {
    const { add, find } = anIndex((slot) => Math.imul(slot, 0x9e3779b1));

    for (const slot of numbers(1, 5000)) add(slot);

    expect(numbers(1, 5000).map(find)).toEqual(numbers(1, 5000));
  });
});
