import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  registerDecorator,
  ValidateNested,
} from 'class-validator';

const NESTED_FIELDS = Symbol.for('nestjs-scalekit-webhooks:nested-fields');

/** A DTO class: its instances are created without arguments. */
export type DtoClass<T extends object = object> = new () => T;

/** A field that contains objects of another DTO class. */
export interface NestedField {
  /** A function, so that files can refer to each other. */
  readonly classOf: () => DtoClass;
  /** Whether the field is a list of such objects. */
  readonly isArray: boolean;
}

type NestedFields = ReadonlyMap<string, NestedField>;

/** Returns the nested fields of a DTO class and its parents. */
export function nestedFieldsOf(dtoClass: DtoClass): NestedFields {
  return Reflect.getMetadata(NESTED_FIELDS, dtoClass.prototype) ?? new Map();
}

function recordNestedField(prototype: object, name: string, field: NestedField): void {
  const inherited: NestedFields = Reflect.getMetadata(NESTED_FIELDS, prototype) ?? new Map();
  Reflect.defineMetadata(NESTED_FIELDS, new Map([...inherited, [name, field]]), prototype);
}

// Ids and types end up in inbox keys and log lines: no control characters, line breaks, bidi marks or lone surrogates.
const PRINTABLE = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u;

/** A required string of 1 to 255 printable characters. */
export function KeyField(): PropertyDecorator {
  return compose(IsString(), Matches(PRINTABLE));
}

/** An optional string. It may be null or empty. */
export function StringField(): PropertyDecorator {
  return compose(IsOptional(), IsString());
}

/** An optional boolean. It may be null. */
export function BooleanField(): PropertyDecorator {
  return compose(IsOptional(), IsBoolean());
}

/** An optional array of any items. It may be null. */
export function ArrayField(): PropertyDecorator {
  return compose(IsOptional(), IsArray());
}

/** An optional object with any fields. It may be null. */
export function ObjectField(): PropertyDecorator {
  return compose(IsOptional(), IsObject());
}

/** An optional object with documented fields. It may be null. */
export function NestedField(classOf: () => DtoClass): PropertyDecorator {
  return compose(IsOptional(), RequiredNestedField(classOf));
}

/** An optional array of objects with documented fields. It may be null. */
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

/**
 * The `data` of an event: a required object of the given class that names the thing the event is about. At least one
 * of the identity paths (`id`, `user.email`, …) must be a non-empty string. There are several because Scalekit's guide
 * and its API reference put the same information in different places.
 */
export function EventData(classOf: () => DtoClass, identity: readonly string[]): PropertyDecorator {
  const paths = identity.map((path) => path.split('.'));
  return compose(RequiredNestedField(classOf), (target, key) =>
    registerDecorator({
      name: 'hasIdentity',
      target: target.constructor,
      propertyName: String(key),
      constraints: [...identity],
      validator: {
        validate: (data: unknown) => paths.some((path) => isNonEmptyString(valueAt(data, path))),
        defaultMessage: () =>
          `data must name what the event is about: at least one of ${identity.join(', ')} is required.`,
      },
    }),
  );
}

/** Returns each field on its own and below each parent: `flatOrUnder(['user'], ['id'])` is `id` and `user.id`. */
export function flatOrUnder(parents: readonly string[], fields: readonly string[]): readonly string[] {
  return [...fields, ...parents.flatMap((parent) => fields.map((field) => `${parent}.${field}`))];
}

function RequiredNestedField(classOf: () => DtoClass): PropertyDecorator {
  return compose(IsObject(), ValidateNested(), Type(classOf), (target, key) =>
    recordNestedField(target, String(key), { classOf, isArray: false }),
  );
}

function compose(...decorators: readonly PropertyDecorator[]): PropertyDecorator {
  return (target, key) => {
    for (const decorate of decorators) decorate(target, key);
  };
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

function isNonEmptyString(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** The envelope of every Scalekit event. Field names are the ones that Scalekit sends. */
export abstract class ScalekitEventBase {
  /** The id of the event (`evt_…`). It is the same in every delivery of the event. */
  @KeyField()
  readonly id!: string;

  /** What happened, for example `organization.created`. */
  @KeyField()
  readonly type!: string;

  /** When the event occurred, in ISO 8601 with up to nanosecond precision. */
  @IsString()
  @IsNotEmpty()
  readonly occurred_at!: string;

  /** The version of the event format. */
  @StringField()
  readonly spec_version?: string | null;

  /** The Scalekit environment of the event (`env_…`). */
  @StringField()
  readonly environment_id?: string | null;

  /** The organization of the event (`org_…`). Role, permission and connected account events have none. */
  @StringField()
  readonly organization_id?: string | null;

  /** The kind of object in `data`. It varies for the same type, so use `type` instead. */
  @StringField()
  readonly object?: string | null;

  @StringField()
  readonly display_name?: string | null;
}

/** An event whose type this version of the library does not know. Only its envelope is validated. */
export class UnknownScalekitEvent extends ScalekitEventBase {
  @IsObject()
  readonly data!: Record<string, unknown>;
}
