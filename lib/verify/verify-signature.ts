import { WebhookVerificationError } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  optional,
  refuseSetting,
  requireTime,
  requireToleranceSeconds,
} from '../errors/settings.js';
import { isSignedWith, type ParsedSignature, parseSignature, requirePayload } from './signature.js';
import {
  collectSignatureHeaders,
  type SignatureScheme,
  schemesPresent,
  type WebhookHeaders,
} from './signature-headers.js';
import { type SigningSecret, toSigningSecret } from './signing-secret.js';
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

const CHECKS: OptionChecks<VerifyWebhookSignatureOptions> = {
  payload: requirePayload,
  headers: requireHeaders,
  // Checked as they are read, so that they are read once.
  secrets: () => {},
  now: optional(requireTime),
  toleranceSeconds: optional(requireToleranceSeconds),
};

/**
 * Verifies that Scalekit signed a payload recently with one of the secrets. The headers that are present determine
 * the scheme. If a delivery has the headers of both schemes, one valid signature is enough.
 *
 * @throws WebhookVerificationError if the delivery is not authentic; `code` says why.
 * @throws ScalekitWebhooksConfigurationError if an option is invalid.
 */
export function verifyWebhookSignature(options: VerifyWebhookSignatureOptions): VerifiedSignature {
  const {
    payload,
    headers,
    secrets: given,
    toleranceSeconds = DEFAULT_TOLERANCE_SECONDS,
    now = Date.now(),
  } = checkOptions(options, CHECKS);
  const secrets = readSecrets('secrets', given);
  requireWellFormed(payload);
  return verifySignature({ payload, headers, secrets, toleranceSeconds, now });
}

/** The options of {@link verifyWebhookSignature}, checked, and with every default filled in. */
interface CheckedOptions extends Required<VerifyWebhookSignatureOptions> {
  readonly secrets: readonly SigningSecret[];
}

/**
 * Verifies a delivery whose options need no check, because an endpoint's were checked at startup.
 *
 * @throws WebhookVerificationError if the delivery is not authentic
 */
export function verifySignature(options: CheckedOptions): VerifiedSignature {
  const { payload, headers, secrets, toleranceSeconds, now } = options;
  const nowSeconds = Math.floor(Number(now) / 1000);
  const values = collectSignatureHeaders(headers);
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

function readSecrets(setting: string, value: unknown): readonly SigningSecret[] {
  const secrets = [value].flat();
  if (secrets.length === 0) refuseSetting(setting, MESSAGES.noSecrets);
  return secrets.map((secret) => toSigningSecret(setting, secret));
}

function requireHeaders(setting: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  refuseSetting(setting, MESSAGES.headersAreNotAnObject(describeValue(value)));
}

/** UTF-8 encodes every lone surrogate as U+FFFD, so different strings would share a signature. */
function requireWellFormed(payload: string | Uint8Array): void {
  if (typeof payload !== 'string' || payload.isWellFormed()) return;
  throw new WebhookVerificationError('payload_malformed', MESSAGES.payloadIsMalformed);
}
