import { WebhookVerificationError } from '../errors/webhook-verification.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { SignatureScheme } from './signature-scheme.js';

/** How a scheme writes its signatures. */
export type SignatureEncoding = 'base64' | 'hex';

/** How many characters a signature has. */
export const SIGNATURE_LENGTHS = { base64: 44, hex: 64 } as const;

/** What the headers of one scheme claim: when the delivery was signed, and the signatures to prove it. */
export interface SignatureClaim {
  readonly scheme: SignatureScheme;
  /** Unix seconds. */
  readonly timestamp: number;
  /** What is signed before the payload. */
  readonly signedPrefix: string;
  /** Digests of 32 bytes, at least one, as Node writes them. */
  readonly candidates: readonly string[];
  readonly encoding: SignatureEncoding;
  /** The `webhook-id`, which only the standard scheme has. */
  readonly deliveryId?: string;
}

const UNIX_SECONDS = /^[0-9]{1,12}$/;

/** @throws WebhookVerificationError `headers_malformed` unless the text is 1 to 12 ASCII digits. */
export function parseUnixSeconds(text: string, header: string): number {
  if (!UNIX_SECONDS.test(text)) throw malformed(MESSAGES.timestampIsNoNumber(header));
  return Number(text);
}

export function malformed(message: string): WebhookVerificationError {
  return new WebhookVerificationError('headers_malformed', message);
}
