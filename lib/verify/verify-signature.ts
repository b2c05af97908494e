import { isUint8Array } from 'node:util/types';
import { ScalekitWebhooksConfigurationError, WebhookVerificationError } from '../errors/errors.js';
import { requireToleranceSeconds } from '../errors/settings.js';
import { isSignedWith } from './compute-signature.js';
import { type ParsedSignature, parseSignature } from './parsed-signature.js';
import {
  collectSignatureHeaders,
  type SignatureScheme,
  schemesPresent,
  type WebhookHeaders,
} from './signature-headers.js';
import { parseSigningSecret, type SigningSecret } from './signing-secret.js';
import { MESSAGES } from './verify.messages.js';

/** A signing secret as text (`whsec_…`), or one that `parseSigningSecret` has read before. */
export type SigningSecretInput = string | SigningSecret;

/** What `verifyWebhookSignature` needs to know. */
export interface VerifyWebhookSignatureOptions {
  /** The body exactly as it arrived: never parsed and serialised again. */
  readonly payload: string | Uint8Array;
  readonly headers: WebhookHeaders;
  /** One secret, or several while one replaces another: any of them may match. */
  readonly secrets: SigningSecretInput | readonly SigningSecretInput[];
  /**
   * The time to compare the timestamp with; as a number, in milliseconds since 1970.
   *
   * @default Date.now()
   */
  readonly now?: Date | number;
  /**
   * How many seconds the timestamp may be off, into the past and into the future.
   *
   * @default 300
   */
  readonly toleranceSeconds?: number;
}

/** What the signature of an authentic delivery says about it. */
export interface VerifiedSignature {
  readonly scheme: SignatureScheme;
  /** When the delivery was signed, to the second. */
  readonly timestamp: Date;
  /** The `webhook-id`; absent under the `scalekit` scheme, which has none. */
  readonly deliveryId?: string;
}

/** The tolerance of Standard Webhooks and of Scalekit's own SDKs: five minutes. */
export const DEFAULT_TOLERANCE_SECONDS = 300;

/**
 * Verifies that Scalekit signed these bytes, lately, with one of these secrets. The headers present decide on
 * the scheme (Standard Webhooks, `scalekit-signature`); where both are complete, one that holds is enough.
 *
 * @throws WebhookVerificationError when the signature does not hold; its `code` tells why.
 * @throws ScalekitWebhooksConfigurationError for a secret or a tolerance that cannot work.
 * @throws TypeError when the payload is neither text nor bytes, or `now` is no time.
 */
export function verifyWebhookSignature(options: VerifyWebhookSignatureOptions): VerifiedSignature {
  const { payload, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS, now = Date.now() } = options;
  const secrets = prepareSecrets(options.secrets);
  requireToleranceSeconds(toleranceSeconds);
  requirePayload(payload);
  const nowSeconds = toUnixSeconds(now);
  const values = collectSignatureHeaders(options.headers);
  let firstFailure: WebhookVerificationError | undefined;
  for (const scheme of schemesPresent(values)) {
    try {
      const claim = parseSignature(scheme, values);
      requireRecent(claim, nowSeconds, toleranceSeconds);
      requireMatch(claim, payload, secrets);
      const { deliveryId } = claim;
      const timestamp = new Date(claim.timestamp * 1000);
      return deliveryId === undefined ? { scheme, timestamp } : { scheme, timestamp, deliveryId };
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      firstFailure ??= error;
    }
  }
  throw firstFailure;
}

function requireRecent({ timestamp }: ParsedSignature, nowSeconds: number, toleranceSeconds: number): void {
  const age = nowSeconds - timestamp;
  if (Math.abs(age) <= toleranceSeconds) return;
  const message = MESSAGES.timestampOutOfTolerance(age, toleranceSeconds);
  throw new WebhookVerificationError('timestamp_out_of_tolerance', message);
}

function requireMatch(
  claim: ParsedSignature,
  payload: string | Uint8Array,
  secrets: readonly SigningSecret[],
): void {
  for (const secret of secrets) {
    if (isSignedWith(secret.keyFor(claim.scheme), claim, payload)) return;
  }
  throw new WebhookVerificationError(
    'signature_mismatch',
    MESSAGES.signatureMismatch(claim.scheme, secrets.length),
  );
}

function prepareSecrets(input: VerifyWebhookSignatureOptions['secrets']): readonly SigningSecret[] {
  if (!isList(input)) return [readSecret(input)];
  if (input.length === 0) throw new ScalekitWebhooksConfigurationError('secrets', MESSAGES.noSecrets);
  return input.map(readSecret);
}

/** What is neither text nor a prepared secret, such as an unset variable, is left to the parser to refuse. */
function readSecret(secret: SigningSecretInput): SigningSecret {
  return typeof secret === 'object' ? secret : parseSigningSecret(secret);
}

function isList(input: VerifyWebhookSignatureOptions['secrets']): input is readonly SigningSecretInput[] {
  return Array.isArray(input);
}

/** A lone surrogate would be signed as U+FFFD, and so different texts would share a signature. */
function requirePayload(payload: unknown): void {
  if (isUint8Array(payload)) return;
  if (typeof payload !== 'string') throw new TypeError(MESSAGES.payloadIsNotRaw);
  if (payload.isWellFormed()) return;
  throw new WebhookVerificationError('payload_malformed', MESSAGES.payloadIsMalformed);
}

function toUnixSeconds(time: Date | number): number {
  const seconds = Math.floor(Number(time) / 1000);
  if (!Number.isFinite(seconds)) throw new TypeError(MESSAGES.nowIsInvalid);
  return seconds;
}
