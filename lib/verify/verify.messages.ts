export const COPY_SECRET =
  "Copy the endpoint's signing secret from the Scalekit dashboard (Settings > Webhooks).";

/** Error messages: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  secretIsNotAString: (found: string) =>
    `The signing secret must be a string; found ${found}. ${COPY_SECRET}`,
  secretIsEmpty: `The signing secret is empty. ${COPY_SECRET}`,
  secretIsQuoted:
    'The signing secret is in quotes. Remove them, so that the secret begins with "whsec_" as in the Scalekit dashboard. Some ' +
    'programs that set environment variables keep the quotes.',
  secretHasNoPrefix: `The signing secret does not begin with "whsec_". ${COPY_SECRET}`,
  secretHasNoKey: `The signing secret ends after "whsec_": the key is missing. ${COPY_SECRET}`,
  secretIsNotBase64:
    'The part of the signing secret after "whsec_" is not base64. The secret may be incomplete, or several secrets ' +
    `may be joined in one string: pass an array instead. ${COPY_SECRET}`,
  noSecrets: `The list of signing secrets is empty. Pass at least one. ${COPY_SECRET}`,
  headersAreNotAnObject: (found: string) =>
    `headers must be the request's headers: an object or a Headers object, found ${found}.`,
  payloadIsNotRaw:
    'The payload must be the raw body as received: a string, a Buffer or a Uint8Array. A parsed body cannot be ' +
    'verified, because serializing it again can change the bytes that were signed.',
  payloadIsMalformed:
    'The payload string contains a lone surrogate, which UTF-8 cannot encode. Pass the raw bytes instead.',
  signatureHeadersMissing: (missing: readonly string[]) =>
    `The delivery has no complete set of signature headers: missing ${missing.join(', ')}, and no scalekit-signature.`,
  headerIsRepeated: (header: string) => `The ${header} header has more than one value.`,
  timestampIsNotUnix: (header: string) =>
    `The timestamp in ${header} is not a Unix timestamp in seconds (1 to 12 digits).`,
  timestampIsNotUnique: 'The scalekit-signature header must contain exactly one timestamp (t=…).',
  deliveryIdIsMalformed: 'The webhook-id header contains a period or a lone surrogate, which is not allowed.',
  replayRequestIsMalformed:
    'The webhook-id header asks for a replay, but this version cannot read what to replay. Use `scalekit-webhooks inbox replay` of the same version.',
  signatureNotFound: (header: string) => `The ${header} header contains no valid v1 signature.`,
  timestampOutOfTolerance: (ageSeconds: number, toleranceSeconds: number) =>
    `The delivery was signed ${Math.abs(ageSeconds)} s ${ageSeconds < 0 ? 'in the future' : 'ago'}; ` +
    `the tolerance is ${toleranceSeconds} s. Check that the clock of this machine is correct.`,
  signatureMismatch: (scheme: string, secretCount: number) =>
    `No ${scheme} signature matches ${secretCount === 1 ? 'the signing secret' : `any of the ${secretCount} signing secrets`}. ` +
    'The secret may belong to another endpoint, or the body may have changed after it was signed.',
} as const;
