import { describe, expect, it } from '@jest/globals';
import { Names } from '../../../lib/inbox/names.js';

describe('Names', () => {
  it('have one number each', () => {
    const names = new Names();

    expect([names.numberOf('one'), names.numberOf('two'), names.numberOf('one')]).toEqual([0, 1, 0]);
    expect(names.nameOf(1)).toBe('two');
    expect(names.find('three')).toBeUndefined();
  });

  it('refuse a number that none has', () => {
    expect(() => new Names().nameOf(0)).toThrow(RangeError);
  });
});
