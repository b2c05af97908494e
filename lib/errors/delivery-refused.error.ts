import type { Outcome } from '../respond/outcome.js';
import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/** A delivery that is turned away for a reason that is not its signature's or its event's. */
export class DeliveryRefusedError extends ScalekitWebhooksError {
  override readonly code = 'delivery_refused';

  constructor(
    readonly outcome: Outcome,
    message: string,
  ) {
    super(message);
  }
}
