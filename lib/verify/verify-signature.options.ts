import type { WebhookHeaders } from './signature-headers.js';
import type { SignatureScheme } from './signature-scheme.js';
import type { SigningSecret } from './signing-secret.js';

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
