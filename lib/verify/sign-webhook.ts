import { randomUUID } from 'node:crypto';
import { computeSignature } from './compute-signature.js';
import { scalekitSignedPrefix, standardSignedPrefix } from './parsed-signature.js';
import type { SignatureScheme } from './signature-headers.js';
import { parseSigningSecret, type SigningSecret } from './signing-secret.js';

/** What {@link signWebhook} needs to know. */
export interface SignWebhookOptions {
  /** The body exactly as it will be sent. */
  readonly payload: string | Uint8Array;
  /** The signing secret: `whsec_…` */
  readonly secret: string | SigningSecret;
  /**
   * The `webhook-id`; the `scalekit` scheme has none.
   *
   * @default a new `msg_…` each time
   */
  readonly id?: string;
  /**
   * When it is signed; as a number, in Unix seconds.
   *
   * @default now
   */
  readonly timestamp?: Date | number;
  /** @default 'standard' */
  readonly scheme?: SignatureScheme;
}

/**
 * Signs a payload as Scalekit does.
 *
 * @returns the signature headers alone; add `content-type: application/json` to send them.
 * @throws ScalekitWebhooksConfigurationError when the secret cannot be read.
 */
export function signWebhook(options: SignWebhookOptions): Record<string, string> {
  const { payload, secret, id = newMessageId(), timestamp = new Date(), scheme = 'standard' } = options;
  const key = (typeof secret === 'object' ? secret : parseSigningSecret(secret)).keyFor(scheme);
  const t = String(toUnixSeconds(timestamp));
  if (scheme === 'scalekit') {
    const signature = computeSignature(key, scalekitSignedPrefix(t), payload, 'hex');
    return { 'scalekit-signature': `t=${t},v1=${signature}` };
  }
  const signature = computeSignature(key, standardSignedPrefix(id, t), payload, 'base64');
  return { 'webhook-id': id, 'webhook-timestamp': t, 'webhook-signature': `v1,${signature}` };
}

function newMessageId(): string {
  return `msg_${randomUUID().replaceAll('-', '')}`;
}

function toUnixSeconds(timestamp: Date | number): number {
  return Math.floor(typeof timestamp === 'number' ? timestamp : timestamp.getTime() / 1000);
}
