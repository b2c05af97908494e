import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/** A setting that cannot work. The message names the setting, what was found, and what to do. */
export class ScalekitWebhooksConfigurationError extends ScalekitWebhooksError {
  override readonly code = 'configuration_invalid';

  constructor(
    readonly setting: string,
    message: string,
  ) {
    super(message);
  }
}
