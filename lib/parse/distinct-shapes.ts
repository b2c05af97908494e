import { getMetadataStorage } from '../events/class-validator.js';
import type { DtoClass } from '../events/nested-field.metadata.js';
import { isJsonObject } from './is-json-object.js';

/**
 * The items of a list that are worth a look: the first of each shape, each at its own index, holes between them. Two
 * items are of one shape when their documented fields have the same JSON types, which is all that rules ask about.
 * It makes a list of a hundred thousand items cost no more than a handful.
 */
export function distinctShapes(dtoClass: DtoClass, items: readonly unknown[]): unknown[] {
  const fields = documentedFields(dtoClass);
  const shapes = new Set<string>();
  const distinct: unknown[] = [];
  items.forEach((item, index) => {
    const shape = isJsonObject(item)
      ? fields.map((name) => jsonTypeOf(Reflect.get(item, name))).join()
      : `no object but ${jsonTypeOf(item)}`;
    if (shapes.has(shape)) return;
    shapes.add(shape);
    distinct[index] = item;
  });
  return distinct;
}

function documentedFields(dtoClass: DtoClass): readonly string[] {
  const rules = getMetadataStorage().getTargetValidationMetadatas(dtoClass, dtoClass.name, false, false);
  return [...new Set(rules.map(({ propertyName }) => propertyName))];
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
