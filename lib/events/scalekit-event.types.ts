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

/** A known event type, or a pattern that matches at least one. */
type ListedScalekitEventPattern = ScalekitEventType | '*' | `${PrefixOf<ScalekitEventType>}.*`;

/**
 * What `@OnScalekitEvent` accepts: an event type, `'*'` for all events, a pattern such as `'organization.*'` for all
 * types that begin with `organization.`, or a type that the library does not know yet, from `unlistedScalekitEvent()`.
 */
export type ScalekitEventPattern = ListedScalekitEventPattern | UnlistedScalekitEventType;

/**
 * The event, or the union of events, that a pattern matches: `ScalekitEvent<'user.created'>` is a `UserCreatedEvent`.
 * If the pattern can match types that the library does not know yet, the union includes `UnknownScalekitEvent`.
 */
export type ScalekitEvent<P extends ScalekitEventPattern = '*'> = P extends ScalekitEventType
  ? ScalekitEventMap[P]
  : P extends '*'
    ? KnownScalekitEvent | UnknownScalekitEvent
    : P extends `${infer Prefix}.*`
      ? ScalekitEventMap[ScalekitEventType & `${Prefix}.${string}`] | UnknownScalekitEvent
      : UnknownScalekitEvent;

/**
 * An event type that the library does not know yet. Create one with {@link unlistedScalekitEvent}.
 * Only the compiler sees the brand. It is a named property so that the ESM and CommonJS builds are compatible.
 */
export type UnlistedScalekitEventType = string & { readonly __unlistedScalekitEvent: true };

type Unlisted<T extends string> = T extends ListedScalekitEventPattern
  ? `'${T}' is a known event type: use it without unlistedScalekitEvent()`
  : T;

/**
 * Lets a handler receive an event type that the library does not know yet: `unlistedScalekitEvent('a.b')`. The
 * handler receives an `UnknownScalekitEvent`. Once a new version knows the type, the call no longer compiles: remove it.
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
 * Whether this version of the library knows the type of an event. After this check, a `switch` on `event.type` narrows
 * to the DTO. It looks at the type, not the class, so that events created by another copy of the library count as well.
 */
export function isKnownScalekitEvent<E extends ScalekitEvent>(event: E): event is KnownPart<E> {
  return isScalekitEventType(event.type);
}
