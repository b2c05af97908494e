import { getMetadataStorage, type MetadataStorage, ValidationTypes } from 'class-validator';
import { type DtoClass, type NestedField, nestedFieldsOf } from '../events/event-fields.js';

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
    conditions: ofType(CONDITIONAL_VALIDATION).map(({ constraints: [condition] }) => condition),
    rules: ofType(CUSTOM_VALIDATION).flatMap((declaration) => compileRules(dtoClass, declaration)),
    nested: ofType(NESTED_VALIDATION).length > 0 ? nestedField(dtoClass, name) : undefined,
  };
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
