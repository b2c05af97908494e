/**
 * Attaches a value to a request. A WeakMap would do the same, and cost the garbage collector more than all that is
 * attached. It is not enumerable, so that a host that logs its request logs no payload.
 */
export function attach(request: object, key: symbol, value: object): void {
  Object.defineProperty(request, key, { value, configurable: true });
}

/** What was attached to a request, or undefined. */
export function attached<T>(request: object, key: symbol): T | undefined {
  return Reflect.get(request, key);
}
