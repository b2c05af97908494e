import { isScalekitEventType, SCALEKIT_EVENTS } from '../events/catalog.js';
import { type DtoClass, type NestedField, nestedFieldsOf } from '../events/event-fields.js';
import { UnknownScalekitEvent } from '../events/scalekit-event.base.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';

/**
 * Turns the parsed JSON of an event into an instance of its DTO class, without validating it. Documented objects become
 * DTOs as well. Unknown fields, free-form objects and values of a wrong type stay as they are. The object is changed in
 * place.
 *
 * class-transformer is not used because it follows free-form objects to any depth and drops some field names.
 */
export function hydrateEvent(event: { readonly type?: unknown }): ScalekitEvent {
  return hydrate(eventClassFor(event.type), event);
}

/** Returns the DTO class for an event type, or `UnknownScalekitEvent` if the catalog does not list the type. */
export function eventClassFor(type: unknown): DtoClass<ScalekitEvent> {
  return typeof type === 'string' && isScalekitEventType(type) ? SCALEKIT_EVENTS[type] : UnknownScalekitEvent;
}

/** Whether a JSON value is an object: neither an array nor null. */
export function isJsonObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hydrate<T extends object>(dtoClass: DtoClass<T>, object: object): T {
  for (const [name, field] of nestedFieldsOf(dtoClass)) {
    if (Object.hasOwn(object, name)) hydrateNested(field, Reflect.get(object, name));
  }
  return Object.setPrototypeOf(object, dtoClass.prototype);
}

/** Skips an object where a list is documented, and a list where an object is documented. */
function hydrateNested({ classOf, isArray }: NestedField, value: unknown): void {
  if (isArray !== Array.isArray(value)) return;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (isJsonObject(item)) hydrate(classOf(), item);
  }
}
