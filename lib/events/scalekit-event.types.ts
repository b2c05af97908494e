import {
  isScalekitEventType,
  type KnownScalekitEvent,
  type ScalekitEventMap,
  type ScalekitEventType,
} from './catalog.js';
import type { UnknownScalekitEvent } from './scalekit-event.base.js';

type PrefixOf<T extends string> = T extends `${infer Head}.${infer Rest}`
  ? Head | `${Head}.${PrefixOf<Rest>}`
  : never;

/** A type that this version knows, or a pattern that takes in at least one of them. */
type ListedScalekitEventPattern = ScalekitEventType | '*' | `${PrefixOf<ScalekitEventType>}.*`;

/**
 * What a handler may ask for: an event type, `'*'` for every event, a pattern such as `'organization.*'` for all
 * that begin with `organization.`, or a type newer than the library by `unlistedScalekitEvent()`.
 */
export type ScalekitEventPattern = ListedScalekitEventPattern | UnlistedScalekitEventType;

/**
 * The event, or the union of events, that a pattern brings: `ScalekitEvent<'user.created'>` is a `UserCreatedEvent`.
 * Where a pattern may also match types that do not exist yet, `UnknownScalekitEvent` is one of the union.
 */
export type ScalekitEvent<P extends ScalekitEventPattern = '*'> = P extends ScalekitEventType
  ? ScalekitEventMap[P]
  : P extends '*'
    ? KnownScalekitEvent | UnknownScalekitEvent
    : P extends `${infer Prefix}.*`
      ? ScalekitEventMap[ScalekitEventType & `${Prefix}.${string}`] | UnknownScalekitEvent
      : UnknownScalekitEvent;

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

type KnownPart<E extends { readonly type: string }> = E extends { readonly type: infer T }
  ? string extends T
    ? never
    : E
  : never;

/**
 * Whether this version knows the event's type. Behind it, a `switch` on `event.type` narrows to the DTO.
 * It asks the catalog and not the class, so that events of another copy of the library count, too.
 */
export function isKnownScalekitEvent<E extends ScalekitEvent>(event: E): event is KnownPart<E> {
  return isScalekitEventType(event.type);
}
