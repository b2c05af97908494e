import { ScalekitWebhooksError } from '../errors/scalekit-webhooks.error.js';

/** The tool was called in a way that cannot work. Its exit code is 2. */
export class CliUsageError extends ScalekitWebhooksError {
  override readonly code = 'cli_usage';
}
