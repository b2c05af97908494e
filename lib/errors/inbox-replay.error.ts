import { ScalekitWebhooksError } from './scalekit-webhooks.error.js';

/**
 * Why an event cannot be replayed:
 *
 * - `event_unknown`: the endpoint's inbox has no such event (any more)
 * - `payload_missing`: the inbox knows the event, but does not keep what was received
 * - `handler_unknown`: a handler that is named in the options does not exist
 */
export type InboxReplayErrorCode = 'event_unknown' | 'payload_missing' | 'handler_unknown';

/** A replay that cannot take place. Nothing was changed. */
export class InboxReplayError extends ScalekitWebhooksError {
  constructor(
    override readonly code: InboxReplayErrorCode,
    message: string,
  ) {
    super(message);
  }
}
