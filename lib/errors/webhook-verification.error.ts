import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/**
 * Why a delivery is not authentic:
 *
 * - `headers_missing`: no complete set of signature headers of either scheme
 * - `headers_malformed`: a signature header cannot be read
 * - `timestamp_out_of_tolerance`: signed too long ago, or too far in the future
 * - `signature_mismatch`: no signature belongs to any of the secrets
 * - `payload_malformed`: the payload given is a string that UTF-8 cannot hold
 * - `verifier_rejected`: the `verifier` option of the module refused the delivery
 */
export type WebhookVerificationErrorCode =
  | 'headers_missing'
  | 'headers_malformed'
  | 'timestamp_out_of_tolerance'
  | 'signature_mismatch'
  | 'payload_malformed'
  | 'verifier_rejected';

/** A delivery whose signature does not hold. It carries neither payload nor secret nor digest. */
export class WebhookVerificationError extends ScalekitWebhooksError {
  constructor(
    override readonly code: WebhookVerificationErrorCode,
    message: string,
  ) {
    super(message);
  }
}
