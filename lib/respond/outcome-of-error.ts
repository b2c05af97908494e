import { DeliveryRefusedError } from '../errors/delivery-refused.error.js';
import { InvalidEventError } from '../errors/invalid-event.error.js';
import type { ScalekitWebhooksError } from '../errors/scalekit-webhooks.error.js';
import { WebhookVerificationError } from '../errors/webhook-verification.error.js';
import type { Outcome } from './outcome.js';

/** The outcome of a delivery that was turned away before any handler saw it. */
export function outcomeOfError(error: ScalekitWebhooksError): Outcome {
  if (error instanceof WebhookVerificationError) return 'unauthenticated';
  if (error instanceof InvalidEventError) return 'invalid_event';
  return error instanceof DeliveryRefusedError ? error.outcome : 'misconfigured';
}
