import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validateSync } from 'class-validator';
import fc from 'fast-check';
import type { EventIssue } from '../../../lib/errors/errors.js';
import { SCALEKIT_EVENT_TYPES, SCALEKIT_EVENTS } from '../../../lib/events/catalog.js';
import {
  type DtoClass,
  type NestedField,
  nestedFieldsOf,
  UnknownScalekitEvent,
} from '../../../lib/events/scalekit-event.base.js';
import { findIssues } from '../../../lib/parse/validate-event.js';

// No arrays with items: class-validator follows them even where an object is documented.
const plain: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom('text', '', 'x'.repeat(256), 'a\nb', '🙂', '\ud800'),
  fc.constantFrom(null, true, false, 0, 7, [], {}),
);
const anything = fc.oneof(
  plain,
  fc.dictionary(fc.constantFrom('id', 'name', 'type', 'data'), fc.constantFrom('text', '', 7, [1])),
);

/** Objects whose documented fields are missing, valid or anything else. */
function objectsOf(dtoClass: DtoClass): fc.Arbitrary<object> {
  const declared = getMetadataStorage().getTargetValidationMetadatas(dtoClass, dtoClass.name, false, false);
  const nested = nestedFieldsOf(dtoClass);
  const fields = declared.map(({ propertyName: name }) => [name, valuesOf(nested.get(name))]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

function valuesOf(nested: NestedField | undefined): fc.Arbitrary<unknown> {
  if (!nested) return anything;
  const objects = objectsOf(nested.classOf());
  const documented = nested.isArray ? fc.array(fc.oneof(anything, objects), { maxLength: 8 }) : objects;
  return fc.oneof({ weight: 4, arbitrary: documented }, { weight: 1, arbitrary: plain });
}

/** The issues that class-validator itself finds. */
function issuesOfClassValidator(dtoClass: DtoClass, value: object): EventIssue[] {
  const instance = plainToInstance<object, object>(dtoClass, value);
  return validateSync(instance, { forbidUnknownValues: false }).flatMap((error) => issuesOf(error, ''));
}

function issuesOf({ property, constraints = {}, children = [] }: ValidationError, parent: string) {
  const path = `${parent}${property}`;
  const broken = Object.keys(constraints);
  // That a value is not an object is reported once.
  const rules = broken.length > 1 ? broken.filter((rule) => rule !== 'nestedValidation') : broken;
  const below: EventIssue[] = children.flatMap((child) => issuesOf(child, `${path}.`));
  return [...rules.map((rule) => ({ path, rule })), ...below];
}

/** Keeps the first of the issues that differ only in the index of a list item. */
function collapsed(issues: readonly EventIssue[]): EventIssue[] {
  const firsts = new Map<string, EventIssue>();
  for (const issue of issues) {
    const key = `${issue.path.replaceAll(/\.\d+/g, '.*')} ${issue.rule}`;
    if (!firsts.has(key)) firsts.set(key, issue);
  }
  return [...firsts.values()];
}

const CLASSES = [
  ...SCALEKIT_EVENT_TYPES.map((type): [string, DtoClass] => [type, SCALEKIT_EVENTS[type]]),
  ['an unknown type', UnknownScalekitEvent] satisfies [string, DtoClass],
];

describe('findIssues, for any value', () => {
  it.each(CLASSES)('finds the same issues as class-validator, in the same order: %s', (_type, dtoClass) => {
    fc.assert(
      fc.property(objectsOf(dtoClass), (value) => {
        expect(findIssues(dtoClass, value)).toEqual(collapsed(issuesOfClassValidator(dtoClass, value)));
      }),
      { numRuns: 25 },
    );
  });

  it.each(CLASSES)('is not affected by the names of other fields: %s', (_type, dtoClass) => {
    const names = ['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty', 'then', 'length'];
    fc.assert(
      fc.property(objectsOf(dtoClass), fc.constantFrom(...names), anything, (value, name, other) => {
        const trapped = Object.defineProperty({ ...value }, name, { value: other, enumerable: true });
        expect(findIssues(dtoClass, trapped)).toEqual(findIssues(dtoClass, value));
      }),
      { numRuns: 10 },
    );
  });
});
