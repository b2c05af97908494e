import { ValidationTypes } from 'class-validator';
import type { EventIssue } from '../errors/errors.js';
import { isScalekitEventType, SCALEKIT_EVENTS } from '../events/catalog.js';
import type { DtoClass, NestedField } from '../events/event-fields.js';
import { UnknownScalekitEvent } from '../events/scalekit-event.base.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { type FieldRules, rulesOf } from './compile-rules.js';

const NONE: readonly EventIssue[] = [];
const NOT_AN_OBJECT: readonly EventIssue[] = [{ path: '', rule: ValidationTypes.NESTED_VALIDATION }];

/**
 * Validates an object against the rules declared on a DTO class, and goes no deeper than the class does. Issues never
 * contain values of the object. If several items of a list break a rule in the same way, only the first is reported.
 *
 * class-validator's own validator is not used because it looks up every rule again, reads the `constructor` of an object,
 * which a payload can contain as a field, and follows nested arrays to any depth.
 */
export function findIssues(dtoClass: DtoClass, dto: object): readonly EventIssue[] {
  const issues: EventIssue[] = [];
  // A missing field must not come from `Object.prototype`.
  const own = { __proto__: null, ...dto };
  for (const field of rulesOf(dtoClass)) {
    const found = issuesOfField(field, own);
    if (found.length > 0) issues.push(...found);
  }
  return issues;
}

function issuesOfField({ name, conditions, rules, nested }: FieldRules, dto: object): readonly EventIssue[] {
  const value: unknown = Reflect.get(dto, name);
  for (const isMet of conditions) {
    if (!isMet(dto, value)) return NONE;
  }
  let own = NONE;
  for (const rule of rules) {
    if (rule.isMet(dto, value) || own.some((issue) => issue.rule === rule.name)) continue;
    own = [...own, { path: name, rule: rule.name }];
  }
  if (!nested) return own;
  const below = issuesBelow(nested, value);
  if (below === NOT_AN_OBJECT && own.length > 0) return own;
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
  return value === undefined || Array.isArray(value) ? NONE : NOT_AN_OBJECT;
}

function issueUnder(parent: string, { path, rule }: EventIssue): EventIssue {
  return { path: path === '' ? parent : `${parent}.${path}`, rule };
}

function isSame(one: EventIssue, other: EventIssue): boolean {
  return one.path === other.path && one.rule === other.rule;
}

/**
 * Turns the parsed JSON of an event into an instance of its DTO class, without validating it. Documented objects become
 * DTOs as well. Unknown fields, free-form objects and values of a wrong type stay as they are. The object is changed in
 * place.
 *
 * class-transformer is not used because it follows free-form objects to any depth and drops some field names.
 */
export function hydrateEvent(event: { readonly type?: unknown }): ScalekitEvent {
  return hydrate(eventClassFor(typeOf(event)), event);
}

/** The event's own type. A missing one must not come from `Object.prototype`. */
export function typeOf(event: { readonly type?: unknown }): unknown {
  return Object.hasOwn(event, 'type') ? event.type : undefined;
}

/** Returns the DTO class for an event type, or `UnknownScalekitEvent` if the catalog does not list the type. */
export function eventClassFor(type: unknown): DtoClass<ScalekitEvent> {
  return typeof type === 'string' && isScalekitEventType(type) ? SCALEKIT_EVENTS[type] : UnknownScalekitEvent;
}

/** Whether a JSON value is an object: neither an array nor null. */
export function isJsonObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hydrate<T extends object>(dtoClass: DtoClass<T>, object: object): T {
  for (const { name, nested } of rulesOf(dtoClass)) {
    if (nested && Object.hasOwn(object, name)) hydrateNested(nested, Reflect.get(object, name));
  }
  return Object.setPrototypeOf(object, dtoClass.prototype);
}

/** Skips an object where a list is documented, and a list where an object is documented. */
function hydrateNested({ classOf, isArray }: NestedField, value: unknown): void {
  if (isArray !== Array.isArray(value)) return;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (isJsonObject(item)) hydrate(classOf(), item);
  }
}
