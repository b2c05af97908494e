import type { ListedScalekitEventPattern } from './scalekit-event.types.js';

/**
 * The name of an event that is newer than the library. Made by {@link unlistedScalekitEvent}.
 * The mark exists for the compiler alone, and by name, so that both builds of the library agree on it.
 */
export type UnlistedScalekitEventType = string & { readonly __unlistedScalekitEvent: true };

type Unlisted<T extends string> = T extends ListedScalekitEventPattern
  ? `'${T}' is known to this version: pass it without unlistedScalekitEvent()`
  : T;

/**
 * Lets a handler take an event that Scalekit has added since this version: `unlistedScalekitEvent('a.b')`. It comes
 * as an `UnknownScalekitEvent`. Once an upgrade brings the type, the call no longer compiles, and can be dropped.
 */
export function unlistedScalekitEvent<const T extends string>(type: Unlisted<T>): UnlistedScalekitEventType;
export function unlistedScalekitEvent(type: string): string {
  return type;
}
