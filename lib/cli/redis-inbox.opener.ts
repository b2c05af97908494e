import type { RedisClientLike } from '../redis/redis-client-like.js';
import { RedisInboxStore } from '../redis/redis-inbox.store.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { CliFailureError } from './cli-failure.error.js';
import { CliUsageError } from './cli-usage.error.js';
import { importDriver } from './import-driver.js';
import { callMethod, type InboxLocation, type OpenedInbox } from './opened-inbox.js';
import { reasonOf } from './reason-of.js';

// Fails at once instead of trying again for as long as the tool runs.
const CLIENT_OPTIONS = {
  lazyConnect: true,
  retryStrategy: null,
  maxRetriesPerRequest: 0,
  connectTimeout: 10_000,
};

/** Opens the inbox of a `redis://` or `rediss://` URL with `ioredis`. */
export async function openRedisInbox({ url, schema, prefix }: InboxLocation): Promise<OpenedInbox> {
  if (schema !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--schema', 'Redis'));
  const Redis = await importDriver('Redis', [['ioredis', 'Redis']]);
  const client = new Redis(url, CLIENT_OPTIONS);
  if (!isRedisClient(client)) throw new CliUsageError(CLI_MESSAGES.driverMissing('Redis', ['ioredis']));
  let cause: unknown;
  // The promise of `connect` tells that it failed, this event why.
  await callMethod(client, 'on', 'error', (error: unknown) => {
    cause = error;
  });
  try {
    await callMethod(client, 'connect');
  } catch (error) {
    throw new CliFailureError(CLI_MESSAGES.inboxFailed(reasonOf(cause ?? error)));
  }
  const store = new RedisInboxStore({ client, ...(prefix !== undefined && { keyPrefix: prefix }) });
  return {
    store,
    async close() {
      await callMethod(client, 'quit');
    },
  };
}

function isRedisClient(value: unknown): value is RedisClientLike {
  return typeof value === 'object' && value !== null && 'evalsha' in value && 'getBuffer' in value;
}
