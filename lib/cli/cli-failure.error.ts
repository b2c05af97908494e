import { ScalekitWebhooksError } from '../errors/scalekit-webhooks.error.js';

/** The tool was called rightly, but what it was asked for is not there, or out of reach. Its exit code is 1. */
export class CliFailureError extends ScalekitWebhooksError {
  override readonly code = 'cli_failed';
}
