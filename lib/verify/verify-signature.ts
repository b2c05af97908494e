import { isUint8Array } from 'node:util/types';
import { ScalekitWebhooksConfigurationError, WebhookVerificationError } from '../errors/errors.js';
import { describeValue, refuseSetting } from '../errors/settings.js';
import { isSignedWith, type ParsedSignature, parseSignature } from './signature.js';
import {
  collectSignatureHeaders,
  type SignatureScheme,
  schemesPresent,
  type WebhookHeaders,
} from './signature-headers.js';
import { parseSigningSecret, type SigningSecret } from './signing-secret.js';
import { MESSAGES } from './verify.messages.js';

/** The default tolerance of Standard Webhooks and of Scalekit's SDKs: 5 minutes. */
export const DEFAULT_TOLERANCE_SECONDS = 300;

/** A signing secret: a string (`whsec_…`), or the result of `parseSigningSecret`. */
export type SigningSecretInput = string | SigningSecret;

/** Options of {@link verifyWebhookSignature}. */
export interface VerifyWebhookSignatureOptions {
  /** The raw body, exactly as received. Do not parse and serialize it first. */
  readonly payload: string | Uint8Array;
  readonly headers: WebhookHeaders;
  /** One signing secret, or several during a rotation. The signature must match one of them. */
  readonly secrets: SigningSecretInput | readonly SigningSecretInput[];
  /**
   * The current time. A number is in milliseconds since 1970.
   *
   * @default Date.now()
   */
  readonly now?: Date | number;
  /**
   * How far the timestamp may be in the past or in the future, in seconds.
   *
   * @default 300
   */
  readonly toleranceSeconds?: number;
}

/** The content of the signature headers of an authentic delivery. */
export interface VerifiedSignature {
  readonly scheme: SignatureScheme;
  /** When the delivery was signed, to the second. */
  readonly timestamp: Date;
  /** The `webhook-id`. The `scalekit` scheme has none. */
  readonly deliveryId?: string;
}

/**
 * Verifies that Scalekit signed a payload recently with one of the secrets. The headers that are present determine
 * the scheme. If a delivery has the headers of both schemes, one valid signature is enough.
 *
 * @throws WebhookVerificationError if the delivery is not authentic; `code` says why.
 * @throws ScalekitWebhooksConfigurationError if a secret or the tolerance is invalid.
 * @throws TypeError if the payload is neither a string nor bytes, or `now` is not a valid time.
 */
export function verifyWebhookSignature(options: VerifyWebhookSignatureOptions): VerifiedSignature {
  const { payload, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS, now = Date.now() } = options;
  const secrets = readSecrets(options.secrets);
  requireToleranceSeconds(toleranceSeconds);
  requirePayload(payload);
  const nowSeconds = toUnixSeconds(now);
  const values = collectSignatureHeaders(options.headers);
  let firstFailure: WebhookVerificationError | undefined;
  for (const scheme of schemesPresent(values)) {
    try {
      const parsed = parseSignature(scheme, values);
      requireRecent(parsed, nowSeconds, toleranceSeconds);
      requireMatch(parsed, payload, secrets);
      const { deliveryId } = parsed;
      const timestamp = new Date(parsed.timestamp * 1000);
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
  parsed: ParsedSignature,
  payload: string | Uint8Array,
  secrets: readonly SigningSecret[],
): void {
  const { scheme } = parsed;
  if (secrets.some((secret) => isSignedWith(secret.keyFor(scheme), parsed, payload))) return;
  throw new WebhookVerificationError(
    'signature_mismatch',
    MESSAGES.signatureMismatch(scheme, secrets.length),
  );
}

function readSecrets(input: VerifyWebhookSignatureOptions['secrets']): readonly SigningSecret[] {
  const inputs = isList(input) ? input : [input];
  if (inputs.length === 0) throw new ScalekitWebhooksConfigurationError('secrets', MESSAGES.noSecrets);
  return inputs.map((secret) => (typeof secret === 'object' ? secret : parseSigningSecret(secret)));
}

function isList(input: VerifyWebhookSignatureOptions['secrets']): input is readonly SigningSecretInput[] {
  return Array.isArray(input);
}

function requirePayload(payload: unknown): void {
  if (isUint8Array(payload)) return;
  if (typeof payload !== 'string') throw new TypeError(MESSAGES.payloadIsNotRaw);
  // UTF-8 encodes every lone surrogate as U+FFFD, so different strings would share a signature.
  if (payload.isWellFormed()) return;
  throw new WebhookVerificationError('payload_malformed', MESSAGES.payloadIsMalformed);
}

function toUnixSeconds(time: Date | number): number {
  const seconds = Math.floor(Number(time) / 1000);
  if (!Number.isFinite(seconds)) throw new TypeError(MESSAGES.nowIsInvalid);
  return seconds;
}

/** @throws ScalekitWebhooksConfigurationError unless the value is a finite number of seconds, 0 or more */
export function requireToleranceSeconds(value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  refuseSetting(
    'toleranceSeconds',
    `toleranceSeconds must be a finite number of seconds, 0 or more; found ${describeValue(value)}.`,
  );
}
