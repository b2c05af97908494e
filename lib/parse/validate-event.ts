import type { EventIssue } from '../errors/errors.js';
import { ValidationTypes } from '../events/class-validator.js';
import type { DtoClass, NestedField } from '../events/event-fields.js';
import type { FieldRules } from './compile-rules.js';
import { rulesOf } from './compile-rules.js';
import { isJsonObject } from './hydrate-event.js';

const NONE: readonly EventIssue[] = [];
const NO_OBJECT: readonly EventIssue[] = [{ path: '', rule: ValidationTypes.NESTED_VALIDATION }];

/**
 * Checks an object against the rules that are declared on a DTO class, and goes no deeper than the class does. No
 * finding holds a value of the object. Where many items of a list break a rule in the same way, the first is named.
 *
 * class-validator's own validator is not used, since it looks up every rule anew, asks an object for its
 * `constructor`, which a payload can carry as a field, and follows arrays of arrays to any depth.
 */
export function findIssues(dtoClass: DtoClass, dto: object): readonly EventIssue[] {
  const issues: EventIssue[] = [];
  for (const field of rulesOf(dtoClass)) {
    const found = issuesOfField(field, dto);
    if (found.length > 0) issues.push(...found);
  }
  return issues;
}

function issuesOfField(
  { name, isOptional, conditions, rules, nested }: FieldRules,
  dto: object,
): readonly EventIssue[] {
  const value: unknown = Reflect.get(dto, name);
  if (isOptional && (value === undefined || value === null)) return NONE;
  for (const isMet of conditions) {
    if (!isMet(dto, value)) return NONE;
  }
  let own = NONE;
  for (const rule of rules) {
    if (rule.holds(dto, value) || own.some((issue) => issue.rule === rule.name)) continue;
    own = [...own, { path: name, rule: rule.name }];
  }
  if (!nested) return own;
  const below = issuesBelow(nested, value);
  if (below === NO_OBJECT && own.length > 0) return own;
  return below.length === 0 ? own : own.concat(below.map((issue) => issueUnder(name, issue)));
}

function issuesBelow({ classOf, isArray }: NestedField, value: unknown): readonly EventIssue[] {
  if (!Array.isArray(value)) return isArray && isJsonObject(value) ? NONE : issuesOfNested(classOf(), value);
  return isArray ? issuesOfItems(classOf(), value) : NONE;
}

function issuesOfItems(dtoClass: DtoClass, items: readonly unknown[]): readonly EventIssue[] {
  const firsts: { readonly index: number; readonly issue: EventIssue }[] = [];
  items.forEach((item, index) => {
    for (const issue of issuesOfNested(dtoClass, item)) {
      if (!firsts.some((first) => isSame(first.issue, issue))) firsts.push({ index, issue });
    }
  });
  return firsts.map(({ index, issue }) => issueUnder(String(index), issue));
}

function issuesOfNested(dtoClass: DtoClass, value: unknown): readonly EventIssue[] {
  if (isJsonObject(value)) return findIssues(dtoClass, value);
  return value === undefined || Array.isArray(value) ? NONE : NO_OBJECT;
}

function issueUnder(parent: string, { path, rule }: EventIssue): EventIssue {
  return { path: path === '' ? parent : `${parent}.${path}`, rule };
}

function isSame(one: EventIssue, other: EventIssue): boolean {
  return one.path === other.path && one.rule === other.rule;
}
