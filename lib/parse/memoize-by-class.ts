import type { DtoClass } from '../events/event-fields.js';

/** A function that remembers what it has found for a class, as nothing about a class changes once it is in use. */
export function memoizeByClass<T extends object>(
  compute: (dtoClass: DtoClass) => T,
): (dtoClass: DtoClass) => T {
  const known = new WeakMap<DtoClass, T>();
  return (dtoClass) => {
    let result = known.get(dtoClass);
    if (result === undefined) {
      result = compute(dtoClass);
      known.set(dtoClass, result);
    }
    return result;
  };
}
