import { isScalekitEventType, SCALEKIT_EVENTS } from '../events/catalog.js';
import { type DtoClass, type NestedField, nestedFieldsOf } from '../events/nested-field.metadata.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { UnknownScalekitEvent } from '../events/unknown.event.js';
import { isJsonObject } from './is-json-object.js';
import { oncePerClass } from './once-per-class.js';

const nestedEntriesOf = oncePerClass((dtoClass) => [...nestedFieldsOf(dtoClass)]);

/** The class for events of a type: that of the catalog, else `UnknownScalekitEvent`. */
export function eventClassFor(type: unknown): DtoClass<ScalekitEvent> {
  return typeof type === 'string' && isScalekitEventType(type) ? SCALEKIT_EVENTS[type] : UnknownScalekitEvent;
}

/**
 * Makes the DTO of an event out of its JSON object, without judging it. Documented objects become DTOs, everything
 * else stays as it is and where it is: unknown fields, free-form objects, and values of a wrong type.
 *
 * class-transformer is not used, since it walks free-form objects to any depth and drops some names of fields.
 */
export function hydrateEvent(event: { readonly type?: unknown }): ScalekitEvent {
  return hydrate(eventClassFor(event.type), event);
}

function hydrate<T extends object>(dtoClass: DtoClass<T>, source: object): T {
  const dto = copyFields(new dtoClass(), source);
  for (const [name, field] of nestedEntriesOf(dtoClass)) {
    if (Object.hasOwn(dto, name)) Reflect.set(dto, name, hydrateNested(field, Reflect.get(dto, name)));
  }
  return dto;
}

function copyFields<T extends object>(target: T, source: object): T {
  if (!Object.hasOwn(source, '__proto__')) return Object.assign(target, source);
  // Assigned, this one would replace the prototype instead of being a field.
  return Object.defineProperties(target, Object.getOwnPropertyDescriptors({ ...source }));
}

function hydrateNested({ classOf, isArray }: NestedField, value: unknown): unknown {
  const dtoClass = classOf();
  if (!isArray) return hydrateIfObject(dtoClass, value);
  return Array.isArray(value) ? value.map((item) => hydrateIfObject(dtoClass, item)) : value;
}

function hydrateIfObject(dtoClass: DtoClass, value: unknown): unknown {
  return isJsonObject(value) ? hydrate(dtoClass, value) : value;
}
