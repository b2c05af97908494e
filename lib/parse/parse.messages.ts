/** Error messages: what happened, then what to do. None contains a payload or a value of a field. */
export const MESSAGES = {
  bodyIsNotUtf8: 'The body is not valid UTF-8.',
  bodyIsNotJson: 'The body is not valid JSON.',
  bodyIsNotAnObject: 'The body is not a JSON object, which every Scalekit event is.',
  envelopeIsInvalid: (paths: readonly string[]) =>
    `The body is not a Scalekit event: ${paths.join(', ')} missing or invalid. An event has the strings id, type and occurred_at, and the object data.`,
  fieldsAreInvalid: (type: string, issues: readonly string[]) =>
    `The ${type} event has invalid fields: ${issues.join(', ')}. To accept such events, set validation to 'lenient'; ` +
    'handlers then find the issues in delivery.issues.',
} as const;
