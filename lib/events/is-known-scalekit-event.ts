import { isScalekitEventType } from './catalog.js';
import type { ScalekitEvent } from './scalekit-event.types.js';

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
