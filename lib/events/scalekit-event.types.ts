import type { KnownScalekitEvent, ScalekitEventMap, ScalekitEventType } from './catalog.js';
import type { UnknownScalekitEvent } from './unknown.event.js';
import type { UnlistedScalekitEventType } from './unlisted-event.js';

type PrefixOf<T extends string> = T extends `${infer Head}.${infer Rest}`
  ? Head | `${Head}.${PrefixOf<Rest>}`
  : never;

/** A type that this version knows, or a pattern that takes in at least one of them. */
export type ListedScalekitEventPattern = ScalekitEventType | '*' | `${PrefixOf<ScalekitEventType>}.*`;

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
