import { isScalekitEventType, SCALEKIT_EVENTS } from '../events/catalog.js';
import { type DtoClass, type NestedField, nestedFieldsOf } from '../events/event-fields.js';
import { UnknownScalekitEvent } from '../events/scalekit-event.base.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { memoizeByClass } from './memoize-by-class.js';

/** Whether a JSON value is an object, and neither an array nor null. */
export function isJsonObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const nestedEntriesOf = memoizeByClass((dtoClass) => [...nestedFieldsOf(dtoClass)]);

/** The class for events of a type: that of the catalog, else `UnknownScalekitEvent`. */
export function eventClassFor(type: unknown): DtoClass<ScalekitEvent> {
  return typeof type === 'string' && isScalekitEventType(type) ? SCALEKIT_EVENTS[type] : UnknownScalekitEvent;
}

/**
 * Makes the JSON object of an event its DTO, without judging it. Documented objects become DTOs, everything else stays as
 * it is: unknown fields, free-form objects, and values of a wrong type. Nothing is copied: the object itself changes.
 *
 * class-transformer is not used, since it walks free-form objects to any depth and drops some names of fields.
 */
export function hydrateEvent(event: { readonly type?: unknown }): ScalekitEvent {
  return hydrate(eventClassFor(event.type), event);
}

function hydrate<T extends object>(dtoClass: DtoClass<T>, object: object): T {
  for (const [name, field] of nestedEntriesOf(dtoClass)) {
    if (Object.hasOwn(object, name)) hydrateNested(field, Reflect.get(object, name));
  }
  return Object.setPrototypeOf(object, dtoClass.prototype);
}

/** Where a list is documented, an object in its place is of no known class. */
function hydrateNested({ classOf, isArray }: NestedField, value: unknown): void {
  if (isArray !== Array.isArray(value)) return;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (isJsonObject(item)) hydrate(classOf(), item);
  }
}
