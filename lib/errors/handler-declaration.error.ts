import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/** A decorated method that could never run, or not as declared. Thrown while the application starts. */
export class HandlerDeclarationError extends ScalekitWebhooksError {
  override readonly code = 'handler_invalid';
}
