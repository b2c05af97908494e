import 'reflect-metadata';

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
export function recordNestedField(prototype: object, name: string, field: NestedField): void {
  const inherited: NestedFields = Reflect.getMetadata(NESTED_FIELDS, prototype) ?? new Map();
  Reflect.defineMetadata(NESTED_FIELDS, new Map([...inherited, [name, field]]), prototype);
}

/** The nested fields of a DTO class, its parents' included. */
export function nestedFieldsOf(dtoClass: DtoClass): NestedFields {
  return Reflect.getMetadata(NESTED_FIELDS, dtoClass.prototype) ?? new Map();
}
