import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { registerDecorator } from './class-validator.js';
import { RequiredNestedField } from './event-field.decorators.js';
import type { DtoClass } from './nested-field.metadata.js';

/** The name under which a missing identity is reported. */
export const IDENTITY_RULE = 'hasIdentity';

function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

function namesSomething(data: unknown, paths: readonly (readonly string[])[]): boolean {
  return paths.some((path) => {
    const value = valueAt(data, path);
    return typeof value === 'string' && value !== '';
  });
}

/**
 * Marks the `data` of an event: an object of the class given, that names the thing it is about. At least one of
 * the identity paths (`id`, `user.email`, …) must hold a text that is not empty. The paths are many on purpose:
 * Scalekit's guide and its reference put the same fact into different places.
 */
export function EventData(classOf: () => DtoClass, identity: readonly string[]): PropertyDecorator {
  const nested = RequiredNestedField(classOf);
  const paths = identity.map((path) => path.split('.'));
  return (target, key) => {
    nested(target, key);
    registerDecorator({
      name: IDENTITY_RULE,
      target: target.constructor,
      propertyName: String(key),
      constraints: [...identity],
      validator: {
        validate: (data: unknown) => namesSomething(data, paths),
        defaultMessage: () => MESSAGES.dataNamesNothing(identity),
      },
    });
  };
}

/** Each field name, flat and under each of the parents: `under(['user'], ['id'])` is `id` and `user.id`. */
export function flatOrUnder(parents: readonly string[], fields: readonly string[]): readonly string[] {
  return [...fields, ...parents.flatMap((parent) => fields.map((field) => `${parent}.${field}`))];
}
