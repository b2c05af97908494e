import { createHash } from 'node:crypto';
import { ScalekitWebhooksError } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  optional,
  refuseSetting,
  requireApplication,
  requireRetentionMs,
} from '../errors/settings.js';
import { answerInTime } from '../inbox/batcher.js';
import { DEFAULT_RETENTION_MS, PAYLOAD_CHECKS, type PayloadOptions } from '../inbox/inbox-options.js';
import { PayloadProtection } from '../inbox/payload-protection.js';

/** The part of an `ioredis` client, `Redis` or `Cluster`, that the store uses. */
export interface RedisClientLike {
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  hgetall(key: string): Promise<Record<string, string>>;
  getBuffer(key: string): Promise<Buffer | null>;
  /** Tells whether the server evicts keys. Without it, the store does not check that. */
  info?(): Promise<string>;
  /** `wait` before the first command of a client with `lazyConnect`. */
  readonly status?: string;
  once?(event: 'ready' | 'close', listener: () => void): unknown;
}

/** Options of `RedisInboxStore`. */
export interface RedisInboxOptions extends PayloadOptions {
  /** An `ioredis` client, `Redis` or `Cluster`. The store never closes it. */
  readonly client: RedisClientLike;
  /**
   * The name of your application: 1 to 64 letters, digits, ".", "_" and "-". It is part of every key, so that applications
   * that share a Redis server keep their events separate. All processes of one application use the same name. Do not change
   * it: under another name, the store does not find the events that it has stored.
   */
  readonly application: string;
  /**
   * The prefix of every key, before a colon.
   * @default 'scalekit-webhooks'
   */
  readonly keyPrefix?: string;
  /**
   * How long to keep an event after its last claim or settlement, in milliseconds. Keep events for longer than Scalekit
   * retries them: 28 hours.
   * @default 2592000000 (30 days)
   */
  readonly retentionMs?: number;
}

const DEFAULT_KEY_PREFIX = 'scalekit-webhooks';

/**
 * The store could not reach Redis, or Redis refused a command. The message contains the reason that Redis or the client
 * gave. There is no `cause`: the client's errors contain the arguments of the command, and with them the payload.
 */
export class RedisInboxError extends ScalekitWebhooksError {
  override readonly code = 'redis_inbox_failed';

  constructor(reason: unknown) {
    const isError = reason instanceof Error;
    const advice = isError ? adviceFor(reason.message) : undefined;
    const text = MESSAGES.redisFailed(isError ? `${reason.name}: ${reason.message}` : typeof reason);
    super(advice ? `${text.replace(/\.?$/, '.')} ${advice}` : text);
  }
}

/** A Lua script. Redis caches scripts by their SHA-1 digest. */
export class RedisScript {
  readonly sha1: string;

  constructor(readonly source: string) {
    this.sha1 = createHash('sha1').update(source).digest('hex');
  }
}

/** KEYS: a key that is not used otherwise. It exists only while this runs, and for a second at most if this fails. */
const PROBE = new RedisScript(`
local key = KEYS[1]
redis.call('TIME')
redis.call('SET', key, '', 'PX', 1000)
redis.call('GET', key)
redis.call('EXISTS', key)
redis.call('DEL', key)
redis.call('HSET', key, 'field', '')
redis.call('PEXPIREAT', key, 1)
redis.call('HGETALL', key)
redis.call('ZADD', key, 1, 'member')
redis.call('ZREM', key, 'member')
redis.call('DEL', key)
return 1
`);

/** The client, with every failure turned into a {@link RedisInboxError}. Without a response, a command fails after 10 s. */
export class RedisInboxConnection {
  constructor(private readonly client: RedisClientLike) {}

  /** Runs a script that returns a list or a number. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<string[]> {
    const reply = await this.#attempt(() => this.#evaluate(script, [...keys, ...args], keys.length));
    return Array.isArray(reply) ? reply.map(String) : [String(reply)];
  }

  hash(key: string): Promise<Record<string, string>> {
    return this.#attempt(() => this.client.hgetall(key));
  }

  bytes(key: string): Promise<Buffer | null> {
    return this.#attempt(() => this.client.getBuffer(key));
  }

  /**
   * Does what the other scripts do, to a key that no event has, so that it fails as they would: on a replica, without the
   * rights, or without memory. A client that is connecting may refuse commands, so it waits until the client is connected.
   * It does not connect a client with `lazyConnect`, because that may be about to happen, and can happen only once.
   *
   * @returns what does not keep the store from working, but can make it lose events
   */
  async ping(key: string): Promise<readonly string[]> {
    const { client } = this;
    if (client.status === 'wait') return [];
    return this.#attempt(async () => {
      await connected(client);
      await this.#evaluate(PROBE, [key], 1);
      // Users without the right to INFO can use the store.
      const info = (await client.info?.().catch(() => undefined)) ?? '';
      return risksIn(info);
    });
  }

  /** Takes one round trip, or two if Redis has not cached the script since it started. */
  async #evaluate(
    { sha1, source }: RedisScript,
    keysAndArguments: readonly (string | Buffer)[],
    keyCount: number,
  ): Promise<unknown> {
    try {
      return await this.client.evalsha(sha1, keyCount, ...keysAndArguments);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.client.eval(source, keyCount, ...keysAndArguments);
    }
  }

  async #attempt<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await answerInTime(command(), 'Redis');
    } catch (error) {
      throw new RedisInboxError(error);
    }
  }
}

async function connected(client: RedisClientLike): Promise<void> {
  if (client.status !== 'connecting' && client.status !== 'connect') return;
  await new Promise<void>((resolve) => {
    client.once?.('ready', resolve);
    client.once?.('close', resolve);
  });
}

/** What the answer to INFO says about risks of losing events. */
function risksIn(info: string): readonly string[] {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
  return [
    ...(policy === 'noeviction' ? [] : [MESSAGES.evicts(policy)]),
    ...(/^role:slave/m.test(info) ? [MESSAGES.writableReplica] : []),
  ];
}

/** What to do about a failure, by what its message begins with or contains. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/READONLY/, 'The server is a read-only replica. Connect the client to the primary.'],
  [/^(NOAUTH|WRONGPASS|ERR invalid password)/, 'Check the username and the password of the client.'],
  [
    /NOPERM|can't run this command|can't access at least one of the keys/,
    'Allow the user of the client the categories @read, @write and @scripting, the command TIME, and all keys that begin with the keyPrefix of the store.',
  ],
  [/^LOADING/, 'Redis is loading its data. The inbox works once it has.'],
  [/^MASTERDOWN/, 'The server is a replica that has lost its primary. Connect the client to the primary.'],
  [/OOM/, 'Redis has no memory left. Raise maxmemory, or shorten retentionMs.'],
  [/MISCONF/, 'Redis cannot write to its disk. Its log says why.'],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|Connection is closed|max retries|Stream isn't writeable/,
    'Check that Redis is running, and check the host and the port of the client.',
  ],
];

function adviceFor(reason: string): string | undefined {
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1];
}

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  redisFailed: (reason: string) => `The inbox could not use Redis: ${reason}`,
  evicts: (policy: string) =>
    `Redis deletes events when its memory is full, because maxmemory-policy is ${policy}. A retry would then run their handlers again. Set it to noeviction.`,
  writableReplica:
    'The client is connected to a replica that accepts writes. It loses them when it synchronizes. Connect the client to the primary.',
  notRedisClient: (missing: string) => `client must be an ioredis client; it has no ${missing}() method.`,
  keyPrefixInvalid: (found: unknown) =>
    `keyPrefix must have at least one character, and no "{" or "}"; found ${describeValue(found)}.`,
  cursorInvalid: (found: unknown) =>
    `cursor must be the nextCursor of an earlier page; found ${describeValue(found)}.`,
} as const;

const COMMANDS = ['evalsha', 'eval', 'hgetall', 'getBuffer'] as const;

const CHECKS: OptionChecks<RedisInboxOptions> = {
  client: requireClient,
  application: requireApplication,
  keyPrefix: optional(requireKeyPrefix),
  retentionMs: optional(requireRetentionMs),
  ...PAYLOAD_CHECKS,
};

function requireClient(setting: string, value: unknown): void {
  const missing = COMMANDS.find((command) => typeof Reflect.get(Object(value), command) !== 'function');
  if (missing) refuseSetting(setting, MESSAGES.notRedisClient(missing));
}

function requireKeyPrefix(setting: string, value: unknown): void {
  if (typeof value === 'string' && /^[^{}]+$/.test(value)) return;
  refuseSetting(setting, MESSAGES.keyPrefixInvalid(value));
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid
 */
export function resolveOptions(options: RedisInboxOptions) {
  const checked = checkOptions(options, CHECKS);
  const { client, application, keyPrefix = DEFAULT_KEY_PREFIX, retentionMs = DEFAULT_RETENTION_MS } = checked;
  const protection = new PayloadProtection(checked, application);
  return { client, application, keyPrefix, retentionMs, protection };
}
