/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  bodyIsNotUtf8: 'The body is not UTF-8 text.',
  bodyIsNotJson: 'The body is not JSON.',
  bodyIsNoObject: 'The body is JSON, but no object: every Scalekit event is one.',
  envelopeIsInvalid: (paths: readonly string[]) =>
    `This is no Scalekit event: ${paths.join(', ')} missing or not usable. An event has id, type, occurred_at and an object data.`,
  dataIsInvalid: (type: string, findings: readonly string[]) =>
    `The data of this ${type} event is not what its handlers are typed for: ${findings.join(', ')}. ` +
    "validation: 'lenient' lets such events through, with the findings in delivery.issues.",
} as const;
