import type { NestedField } from '../events/nested-field.metadata.js';

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
export interface FieldRule {
  readonly name: string;
  holds(dto: object, value: unknown): boolean;
}
