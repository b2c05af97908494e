/** A field of what was thrown, as text; thrown values can be anything, and errors of Node carry a `code`. */
export function errorField(error: unknown, name: 'code' | 'message' | 'name'): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}
