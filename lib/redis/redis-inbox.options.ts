import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { RedisClientLike } from './redis-client-like.js';

/** What a {@link RedisInboxStore} is made with. */
export interface RedisInboxOptions {
  /** An `ioredis` client, `Redis` or `Cluster`. It stays the caller's: the store never closes it. */
  readonly client: RedisClientLike;
  /**
   * Begins the name of every key, before a colon. Applications that share a Redis, but no ledger, each need their own.
   * @default 'scalekit-webhooks'
   */
  readonly keyPrefix?: string;
  /**
   * How long an event is remembered after its last claim or settlement, in ms.
   * @default 2592000000 (30 days)
   */
  readonly retention?: number;
}

const COMMANDS = ['evalsha', 'eval', 'hgetall', 'getBuffer', 'ping'] as const;
const DEFAULT_KEY_PREFIX = 'scalekit-webhooks';
const DEFAULT_RETENTION_MS = 30 * 24 * 60 * 60 * 1000;

/** @throws ScalekitWebhooksConfigurationError when an option cannot work */
export function resolveRedisInboxOptions(options: RedisInboxOptions): Required<RedisInboxOptions> {
  const { client, keyPrefix = DEFAULT_KEY_PREFIX, retention = DEFAULT_RETENTION_MS } = options;
  const missing = COMMANDS.find((command) => typeof client?.[command] !== 'function');
  if (missing) throw new ScalekitWebhooksConfigurationError('client', MESSAGES.notUsable('client', missing));
  if (!/^[^{}]+$/.test(keyPrefix)) {
    throw new ScalekitWebhooksConfigurationError('keyPrefix', MESSAGES.redisKeyPrefixInvalid(keyPrefix));
  }
  if (!Number.isSafeInteger(retention) || retention <= 0) {
    throw new ScalekitWebhooksConfigurationError(
      'retention',
      MESSAGES.notAPositiveInteger('retention', retention),
    );
  }
  return Object.freeze({ client, keyPrefix, retention });
}
