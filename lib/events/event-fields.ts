import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  registerDecorator,
  ValidateNested,
} from './class-validator.js';

const MESSAGES = {
  dataNamesNothing: (identity: readonly string[]) =>
    `data must name what the event is about: one of ${identity.join(', ')}.`,
} as const;

const NESTED_FIELDS = Symbol.for('nestjs-scalekit-webhooks:nested-fields');

/** A class whose instances are made without arguments. */
export type DtoClass<T extends object = object> = new () => T;

/** A field whose objects are DTOs of their own. The class is given late, so that files may refer to each other. */
export interface NestedField {
  readonly classOf: () => DtoClass;
  /** Whether the field holds a list of them. */
  readonly isArray: boolean;
}

type NestedFields = ReadonlyMap<string, NestedField>;

/** Notes on a DTO's prototype that a field is nested. Subclasses add to what their parents have noted. */
function recordNestedField(prototype: object, name: string, field: NestedField): void {
  const inherited: NestedFields = Reflect.getMetadata(NESTED_FIELDS, prototype) ?? new Map();
  Reflect.defineMetadata(NESTED_FIELDS, new Map([...inherited, [name, field]]), prototype);
}

/** The nested fields of a DTO class, its parents' included. */
export function nestedFieldsOf(dtoClass: DtoClass): NestedFields {
  return Reflect.getMetadata(NESTED_FIELDS, dtoClass.prototype) ?? new Map();
}

// Ids and types become ledger keys and log text: no controls, no line breaks, no bidi marks, no half surrogates.
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u;

function compose(...decorators: readonly PropertyDecorator[]): PropertyDecorator {
  return (target, key) => {
    for (const decorate of decorators) decorate(target, key);
  };
}

/** Required in every event: a text of 1 to 255 printable characters. */
export function KeyField(): PropertyDecorator {
  return compose(IsString(), Matches(PRINTABLE));
}

/** Absent, null, or a string, whatever is in it. */
export function StringField(): PropertyDecorator {
  return compose(IsOptional(), IsString());
}

/** Absent, null, or a boolean. */
export function BooleanField(): PropertyDecorator {
  return compose(IsOptional(), IsBoolean());
}

/** Absent, null, or an array, whatever its items are. */
export function ArrayField(): PropertyDecorator {
  return compose(IsOptional(), IsArray());
}

/** Absent, null, or an object, whatever is in it. */
export function ObjectField(): PropertyDecorator {
  return compose(IsOptional(), IsObject());
}

/** Absent, null, or an object with documented fields of its own. */
export function NestedField(classOf: () => DtoClass): PropertyDecorator {
  return compose(IsOptional(), RequiredNestedField(classOf));
}

/** An object with documented fields of its own, which must be there. */
function RequiredNestedField(classOf: () => DtoClass): PropertyDecorator {
  return compose(IsObject(), ValidateNested(), Type(classOf), (target, key) =>
    recordNestedField(target, String(key), { classOf, isArray: false }),
  );
}

/** Absent, null, or an array of objects with documented fields of their own. */
export function NestedArrayField(classOf: () => DtoClass): PropertyDecorator {
  return compose(
    IsOptional(),
    IsArray(),
    IsObject({ each: true }),
    ValidateNested({ each: true }),
    Type(classOf),
    (target, key) => recordNestedField(target, String(key), { classOf, isArray: true }),
  );
}

/** The name under which a missing identity is reported. */
const IDENTITY_RULE = 'hasIdentity';

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
