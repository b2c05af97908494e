import {
  getMetadataStorage,
  IS_OPTIONAL,
  type ValidationMetadata,
  ValidationTypes,
} from '../events/class-validator.js';
import { type DtoClass, type NestedField, nestedFieldsOf } from '../events/event-fields.js';
import { memoizeByClass } from './memoize-by-class.js';

/** What is declared on one field of a DTO class. */
export interface FieldRules {
  readonly name: string;
  /** Whether it may be absent, or null: `@IsOptional()`. */
  readonly isOptional: boolean;
  /** The field is judged only where all of them hold: `@ValidateIf()`. */
  readonly conditions: readonly ((dto: object, value: unknown) => boolean)[];
  readonly rules: readonly FieldRule[];
  /** The field's objects are judged by a class of their own. */
  readonly nested: NestedField | undefined;
}

/** One rule of a field, for example that of `@IsString()`, whose name is `isString`. */
interface FieldRule {
  readonly name: string;
  holds(dto: object, value: unknown): boolean;
}

const { CUSTOM_VALIDATION, CONDITIONAL_VALIDATION, NESTED_VALIDATION } = ValidationTypes;
const SUPPORTED: ReadonlySet<string> = new Set([
  CUSTOM_VALIDATION,
  CONDITIONAL_VALIDATION,
  NESTED_VALIDATION,
]);

/**
 * The rules that class-validator's decorators have declared on a DTO class and its parents, in the order in which
 * class-validator checks them. To look them up is most of what its own validator does, so it is done once.
 *
 * @throws Error for a declaration that nobody would check
 */
export const rulesOf: (dtoClass: DtoClass) => readonly FieldRules[] = memoizeByClass((dtoClass) => {
  const storage = getMetadataStorage();
  const declared = storage.getTargetValidationMetadatas(dtoClass, dtoClass.name, false, false);
  return Object.entries(storage.groupByPropertyName(declared)).map(([name, metadatas]) =>
    compileField(dtoClass, name, metadatas),
  );
});

function compileField(
  dtoClass: DtoClass,
  name: string,
  metadatas: readonly ValidationMetadata[],
): FieldRules {
  for (const metadata of metadatas) assertSupported(dtoClass, metadata);
  const ofType = (type: string) => metadatas.filter((metadata) => metadata.type === type);
  const conditional = ofType(CONDITIONAL_VALIDATION);
  const others = conditional.filter((metadata) => metadata.name !== IS_OPTIONAL);
  return {
    name,
    isOptional: others.length < conditional.length,
    conditions: others.map(({ constraints: [condition] }) => condition),
    rules: ofType(CUSTOM_VALIDATION).flatMap((metadata) => compileRules(dtoClass, metadata)),
    nested: ofType(NESTED_VALIDATION).length > 0 ? nestedField(dtoClass, name) : undefined,
  };
}

function compileRules(dtoClass: DtoClass, metadata: ValidationMetadata): FieldRule[] {
  const { type, propertyName: property, constraints, constraintCls, each } = metadata;
  const targetName = dtoClass.name;
  const declared = getMetadataStorage().getTargetValidatorConstraints(constraintCls);
  if (declared.length === 0) throw unsupported(dtoClass, property, 'a rule without a constraint');
  return declared.map(({ name, instance, async }) => {
    if (async) throw unsupported(dtoClass, property, 'an asynchronous rule');
    const { validate } = instance;
    const passes = (object: object, value: unknown, tested: unknown): boolean => {
      const verdict = validate.call(instance, tested, { targetName, property, object, value, constraints });
      if (typeof verdict === 'object') throw unsupported(dtoClass, property, 'an asynchronous rule');
      return verdict;
    };
    const holds: FieldRule['holds'] = (dto, value) => passes(dto, value, value);
    const holdsForEach: FieldRule['holds'] = (dto, value) =>
      Array.isArray(value) ? value.every((item) => passes(dto, value, item)) : holds(dto, value);
    return { name: name || type, holds: each ? holdsForEach : holds };
  });
}

function nestedField(dtoClass: DtoClass, name: string): NestedField {
  const field = nestedFieldsOf(dtoClass).get(name);
  if (!field) throw unsupported(dtoClass, name, '@ValidateNested() alone');
  return field;
}

function assertSupported(dtoClass: DtoClass, metadata: ValidationMetadata): void {
  const { type, propertyName, groups, always, context, validateIf } = metadata;
  if (!SUPPORTED.has(type)) throw unsupported(dtoClass, propertyName, type);
  if (groups?.length > 0) throw unsupported(dtoClass, propertyName, 'groups');
  for (const [option, value] of Object.entries({ always, context, validateIf })) {
    if (value !== undefined) throw unsupported(dtoClass, propertyName, option);
  }
}

function unsupported(dtoClass: DtoClass, property: string, feature: string): Error {
  return new Error(`${dtoClass.name}.${property} is declared with ${feature}, which is not supported`);
}
