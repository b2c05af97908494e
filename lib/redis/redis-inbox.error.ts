import { ScalekitWebhooksError } from '../errors/scalekit-webhooks.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';

/**
 * Redis could not be reached, or refused a command. The message is Redis' or the client's own. The error has no `cause`:
 * the client's errors carry the arguments of the command, and with them the payload.
 */
export class RedisInboxError extends ScalekitWebhooksError {
  override readonly code = 'redis_inbox_failed';

  constructor(reason: unknown) {
    super(
      MESSAGES.redisFailed(reason instanceof Error ? `${reason.name}: ${reason.message}` : typeof reason),
    );
  }
}
