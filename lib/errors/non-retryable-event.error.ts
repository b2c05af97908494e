import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/**
 * Thrown by a handler to say that a retry cannot help. The handler is not run again for this event: its row
 * in the inbox becomes dead (a dead letter), and the delivery is answered with 422.
 *
 * @example throw new NonRetryableEventError('no tenant for this organization');
 */
export class NonRetryableEventError extends ScalekitWebhooksError {
  override readonly code = 'non_retryable';
}
