import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  ValidateNested,
} from './class-validator.js';
import { type DtoClass, recordNestedField } from './nested-field.metadata.js';

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
export function RequiredNestedField(classOf: () => DtoClass): PropertyDecorator {
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
