function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Objects are merged field by field; arrays and all else replace what was there; `undefined` takes a field away. */
export function mergeOverrides(base: object, overrides: object): Record<string, unknown> {
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) merged.delete(name);
    else merged.set(name, mergeValue(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

function mergeValue(base: unknown, override: unknown): unknown {
  return isPlainObject(base) && isPlainObject(override) ? mergeOverrides(base, override) : override;
}
