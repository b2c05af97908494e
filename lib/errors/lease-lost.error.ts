import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/**
 * A run that wants to record its success inside a transaction no longer has the right to: its lease ran out, and
 * another claim took the handler over. Let it through, so that the transaction is rolled back.
 */
export class LeaseLostError extends ScalekitWebhooksError {
  override readonly code = 'lease_lost';

  constructor(
    readonly eventId: string,
    readonly handlerId: string,
  ) {
    super(MESSAGES.leaseLost(eventId, handlerId));
  }
}
