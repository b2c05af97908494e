export const COPY_SECRET =
  'Copy the signing secret of this endpoint from the Scalekit dashboard (Settings > Webhooks).';

/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  secretIsNoString: (found: string) => `The signing secret is ${found} instead of text. ${COPY_SECRET}`,
  secretIsEmpty: `The signing secret is empty. ${COPY_SECRET}`,
  secretHasNoPrefix: `The signing secret does not begin with "whsec_". ${COPY_SECRET}`,
  secretHasNoKey: `The signing secret ends after "whsec_": its key is missing. ${COPY_SECRET}`,
  secretIsNotBase64:
    'What follows "whsec_" in the signing secret is not base64: a part may be lost, or several secrets may stand ' +
    `in one text (give them as a list). ${COPY_SECRET}`,
  noSecrets: `The list of signing secrets is empty: give at least one. ${COPY_SECRET}`,
  nowIsInvalid: 'now is no valid time: give a Date, or milliseconds since 1970.',
  payloadIsNotRaw:
    'The payload must be the raw body as it arrived, a string or a Uint8Array (Buffer). A parsed body cannot be ' +
    'verified, and one serialised again need not have the bytes that were signed.',
  payloadIsMalformed:
    'The payload is a string with a lone surrogate, which UTF-8 cannot hold. Give the raw bytes.',
  signatureHeadersMissing: (missing: readonly string[]) =>
    `No complete set of signature headers: missing ${missing.join(', ')} (or else scalekit-signature).`,
  headerIsRepeated: (header: string) => `The header ${header} has several values.`,
  timestampIsNoNumber: (header: string) => `The timestamp in ${header} is no Unix time of 1 to 12 digits.`,
  timestampIsNotUnique: 'The header scalekit-signature must hold exactly one timestamp, t=….',
  deliveryIdIsMalformed: 'The header webhook-id holds a full stop or a lone surrogate.',
  noSignature: (header: string) => `The header ${header} holds no v1 signature of 32 bytes.`,
  timestampOutOfTolerance: (ageSeconds: number, toleranceSeconds: number) =>
    `The delivery was signed ${Math.abs(ageSeconds)} s ${ageSeconds < 0 ? 'in the future' : 'ago'}; ` +
    `the tolerance is ${toleranceSeconds} s. Check the clock of this machine.`,
  signatureMismatch: (scheme: string, secretCount: number) =>
    `No signature of the ${scheme} scheme matches ${secretCount === 1 ? 'the signing secret' : `any of the ${secretCount} signing secrets`}. ` +
    'Either the secret is that of another endpoint, or the body is not the bytes that were signed.',
} as const;
