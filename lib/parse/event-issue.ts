/** One finding of the validation. It names a field and a rule, and never holds the field's value. */
export interface EventIssue {
  /** Where the field stands, for example `data.user.email`. */
  readonly path: string;
  /** Which rule it breaks, for example `isString`. */
  readonly rule: string;
}
