import { describe, expect, it } from '@jest/globals';
import { nestInternals } from '../../consumer/shared/src/nest-internals.js';

describe('Nest still has what the library uses outside its public API', () => {
  it.each(Object.entries(nestInternals()))('%s', (_part, isThere) => {
    expect(isThere).toBe(true);
  });
});
