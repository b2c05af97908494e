import type { ValidationError } from 'class-validator';
import { Validator } from '../events/class-validator.js';
import { type DtoClass, type NestedField, nestedFieldsOf } from '../events/nested-field.metadata.js';
import { distinctShapes } from './distinct-shapes.js';
import type { EventIssue } from './event-issue.js';
import { isJsonObject } from './is-json-object.js';

const OPTIONS = {
  forbidUnknownValues: false,
  dismissDefaultMessages: true,
  validationError: { target: false, value: false },
};

const VALIDATOR = new Validator();

/**
 * Checks an object against the rules that are declared on a DTO class. No finding holds a value of the object. Where
 * many items of a list break a rule in the same way, the first of them is named.
 */
export function findIssues(dtoClass: DtoClass, value: object): readonly EventIssue[] {
  return VALIDATOR.validateSync(viewAs(dtoClass, value), OPTIONS).flatMap((error) => issuesOf(error, ''));
}

/**
 * What class-validator gets to see. It asks an object for its `constructor`, which a payload can carry as a field,
 * and follows arrays of arrays to any depth; so it is shown the class as it is, and no deeper than the class goes.
 */
function viewAs(dtoClass: DtoClass, value: object): object {
  const view: object = Object.create(value, { constructor: { value: dtoClass } });
  for (const [name, field] of nestedFieldsOf(dtoClass)) {
    Object.defineProperty(view, name, { value: nestedView(field, Reflect.get(value, name)) });
  }
  return view;
}

function nestedView({ classOf, isArray }: NestedField, value: unknown): unknown {
  if (!isArray) return viewIfObject(classOf(), value);
  if (Array.isArray(value)) {
    return distinctShapes(classOf(), value).map((item) => viewIfObject(classOf(), item));
  }
  return isJsonObject(value) ? {} : value;
}

function viewIfObject(dtoClass: DtoClass, value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return isJsonObject(value) ? viewAs(dtoClass, value) : value;
}

function issuesOf(
  { property, constraints = {}, children = [] }: ValidationError,
  parent: string,
): EventIssue[] {
  const path = parent === '' ? property : `${parent}.${property}`;
  const rules = Object.keys(constraints);
  return [
    ...rules
      .filter((rule) => rule !== 'nestedValidation' || rules.length === 1)
      .map((rule) => ({ path, rule })),
    ...children.flatMap((child) => issuesOf(child, path)),
  ];
}
