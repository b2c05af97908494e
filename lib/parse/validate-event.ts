import { getMetadataStorage, IS_OPTIONAL, type MetadataStorage, ValidationTypes } from 'class-validator';
import type { EventIssue } from '../errors/errors.js';
import { isScalekitEventType, SCALEKIT_EVENTS } from '../events/catalog.js';
import {
  type DtoClass,
  type NestedField,
  nestedFieldsOf,
  UnknownScalekitEvent,
} from '../events/scalekit-event.base.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';

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
  for (const field of rulesOf(dtoClass)) {
    const found = issuesOfField(field, dto);
    if (found.length > 0) issues.push(...found);
  }
  return issues;
}

function issuesOfField({ name, conditions, rules, nested }: FieldRules, dto: object): readonly EventIssue[] {
  const value: unknown = Object.hasOwn(dto, name) ? Reflect.get(dto, name) : undefined;
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

/** The rules that decorators declare on one field of a DTO class. */
export interface FieldRules {
  readonly name: string;
  /** The field is validated only if all of these are met: `@IsOptional()`, `@ValidateIf()`. */
  readonly conditions: readonly Condition[];
  readonly rules: readonly FieldRule[];
  /** Set if the field contains objects of another DTO class. */
  readonly nested: NestedField | undefined;
}

type Condition = (dto: object, value: unknown) => boolean;

/** One rule of a field. The rule of `@IsString()`, for example, is named `isString`. */
interface FieldRule {
  readonly name: string;
  isMet(dto: object, value: unknown): boolean;
}

/** What one decorator has declared on one field. */
type Declaration = ReturnType<MetadataStorage['getTargetValidationMetadatas']>[number];

const COMPILED = new WeakMap<DtoClass, readonly FieldRules[]>();

/**
 * Returns the rules that class-validator's decorators declare on a DTO class and its parents, in the order in which
 * class-validator checks them. Each class is compiled once: looking up the declarations takes most of the time that
 * class-validator needs for a validation.
 *
 * @throws Error if a declaration is not supported and would not be checked.
 */
export function rulesOf(dtoClass: DtoClass): readonly FieldRules[] {
  const known = COMPILED.get(dtoClass);
  if (known) return known;
  const storage = getMetadataStorage();
  const declarations = storage.getTargetValidationMetadatas(dtoClass, dtoClass.name, false, false);
  const compiled = Object.entries(storage.groupByPropertyName(declarations)).map(([name, declared]) =>
    compileField(dtoClass, name, declared),
  );
  COMPILED.set(dtoClass, compiled);
  return compiled;
}

const { CUSTOM_VALIDATION, CONDITIONAL_VALIDATION, NESTED_VALIDATION } = ValidationTypes;

function compileField(dtoClass: DtoClass, name: string, found: readonly Declaration[]): FieldRules {
  // What a declaration does not say must not come from `Object.prototype`.
  const declared = found.map((declaration) => ({ __proto__: null, ...declaration }));
  for (const declaration of declared) requireSupported(dtoClass, declaration);
  const ofType = (type: string) => declared.filter((declaration) => declaration.type === type);
  return {
    name,
    conditions: ofType(CONDITIONAL_VALIDATION).map(compileCondition),
    rules: ofType(CUSTOM_VALIDATION).flatMap((declaration) => compileRules(dtoClass, declaration)),
    nested: ofType(NESTED_VALIDATION).length > 0 ? nestedField(dtoClass, name) : undefined,
  };
}

function compileCondition({ name, constraints: [condition] }: Declaration): Condition {
  // It looks at its own field alone, and most fields have it.
  if (name === IS_OPTIONAL) return (_dto, value) => value !== undefined && value !== null;
  // It looks at other fields. Those that are missing must not come from `Object.prototype`.
  return (dto, value) => condition({ __proto__: null, ...dto }, value);
}

function compileRules(dtoClass: DtoClass, declaration: Declaration): FieldRule[] {
  const { type, propertyName: property, constraints, constraintCls, each } = declaration;
  const targetName = dtoClass.name;
  const validators = getMetadataStorage().getTargetValidatorConstraints(constraintCls);
  if (validators.length === 0) throw unsupported(dtoClass, property, 'a rule without a constraint');
  return validators.map(({ name, instance, async }) => {
    if (async) throw unsupported(dtoClass, property, 'an asynchronous rule');
    const { validate } = instance;
    const passes = (object: object, value: unknown, tested: unknown): boolean => {
      const verdict = validate.call(instance, tested, { targetName, property, object, value, constraints });
      if (typeof verdict === 'object') throw unsupported(dtoClass, property, 'an asynchronous rule');
      return verdict;
    };
    const isMet: FieldRule['isMet'] = (dto, value) => passes(dto, value, value);
    const isMetByEach: FieldRule['isMet'] = (dto, value) =>
      Array.isArray(value) ? value.every((item) => passes(dto, value, item)) : isMet(dto, value);
    return { name: name || type, isMet: each ? isMetByEach : isMet };
  });
}

function nestedField(dtoClass: DtoClass, name: string): NestedField {
  const field = nestedFieldsOf(dtoClass).get(name);
  if (!field) throw unsupported(dtoClass, name, '@ValidateNested() alone');
  return field;
}

const SUPPORTED: ReadonlySet<string> = new Set([
  CUSTOM_VALIDATION,
  CONDITIONAL_VALIDATION,
  NESTED_VALIDATION,
]);

function requireSupported(dtoClass: DtoClass, declaration: Declaration): void {
  const { type, propertyName, groups, always, context, validateIf } = declaration;
  if (!SUPPORTED.has(type)) throw unsupported(dtoClass, propertyName, type);
  if (groups?.length > 0) throw unsupported(dtoClass, propertyName, 'groups');
  for (const [option, value] of Object.entries({ always, context, validateIf })) {
    if (value !== undefined) throw unsupported(dtoClass, propertyName, option);
  }
}

function unsupported(dtoClass: DtoClass, property: string, feature: string): Error {
  return new Error(`${dtoClass.name}.${property} is declared with ${feature}, which is not supported.`);
}
