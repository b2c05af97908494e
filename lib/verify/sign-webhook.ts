import { randomUUID } from 'node:crypto';
import {
  checkOptions,
  type OptionChecks,
  oneOf,
  optional,
  requireText,
  requireTime,
} from '../errors/settings.js';
import { computeSignature, scalekitSignedPrefix, standardSignedPrefix } from './signature.js';
import { SIGNATURE_SCHEMES, type SignatureScheme } from './signature-headers.js';
import { type SigningSecret, toSigningSecret } from './signing-secret.js';
import { requirePayload } from './verify-signature.js';

/** Options of {@link signWebhook}. */
export interface SignWebhookOptions {
  /** The body, exactly as you will send it. */
  readonly payload: string | Uint8Array;
  /** The signing secret (`whsec_…`). */
  readonly secret: string | SigningSecret;
  /**
   * The `webhook-id`. The `scalekit` scheme has none.
   *
   * @default a new `msg_…` for each call
   */
  readonly id?: string;
  /**
   * The time of signing. A number is in Unix seconds.
   *
   * @default now
   */
  readonly timestamp?: Date | number;
  /** @default 'standard' */
  readonly scheme?: SignatureScheme;
}

const CHECKS: OptionChecks<SignWebhookOptions> = {
  payload: requirePayload,
  secret: toSigningSecret,
  id: optional(requireText),
  timestamp: optional(requireTime),
  scheme: optional(oneOf(SIGNATURE_SCHEMES)),
};

/**
 * Signs a payload the way Scalekit does.
 *
 * @returns only the signature headers; add `content-type: application/json` when you send them.
 * @throws ScalekitWebhooksConfigurationError if an option is invalid.
 */
export function signWebhook(options: SignWebhookOptions): Record<string, string> {
  const {
    payload,
    secret,
    id = newMessageId(),
    timestamp = new Date(),
    scheme = 'standard',
  } = checkOptions(options, CHECKS);
  const key = toSigningSecret('secret', secret).keyFor(scheme);
  const t = String(toUnixSeconds(timestamp));
  if (scheme === 'scalekit') {
    const signature = computeSignature(key, scalekitSignedPrefix(t), payload).toString('hex');
    return { 'scalekit-signature': `t=${t},v1=${signature}` };
  }
  const signature = computeSignature(key, standardSignedPrefix(id, t), payload).toString('base64');
  return { 'webhook-id': id, 'webhook-timestamp': t, 'webhook-signature': `v1,${signature}` };
}

function newMessageId(): string {
  return `msg_${randomUUID().replaceAll('-', '')}`;
}

function toUnixSeconds(timestamp: Date | number): number {
  return Math.floor(typeof timestamp === 'number' ? timestamp : timestamp.getTime() / 1000);
}
