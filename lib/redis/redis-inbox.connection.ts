import { createHash } from 'node:crypto';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { describeValue } from '../errors/settings.js';
import { answerInTime } from '../inbox/batcher.js';

/** The part of an `ioredis` client, `Redis` or `Cluster`, that the store uses. */
export interface RedisClientLike {
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  hgetall(key: string): Promise<Record<string, string>>;
  getBuffer(key: string): Promise<Buffer | null>;
  ping(): Promise<string>;
}

/**
 * The store could not reach Redis, or Redis refused a command. The message contains the reason that Redis or the client
 * gave. There is no `cause`: the client's errors contain the arguments of the command, and with them the payload.
 */
export class RedisInboxError extends ScalekitWebhooksError {
  override readonly code = 'redis_inbox_failed';

  constructor(reason: unknown) {
    super(
      MESSAGES.redisFailed(reason instanceof Error ? `${reason.name}: ${reason.message}` : typeof reason),
    );
  }
}

/** A Lua script. Redis caches scripts by their SHA-1 digest. */
export class RedisScript {
  readonly sha1: string;

  constructor(readonly source: string) {
    this.sha1 = createHash('sha1').update(source).digest('hex');
  }
}

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

  ping(): Promise<string> {
    return this.#attempt(() => this.client.ping());
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

/** Error texts: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  redisFailed: (reason: string) => `The inbox could not use Redis: ${reason}`,
  notRedisClient: (missing: string) => `client must be an ioredis client; it has no ${missing}() method.`,
  keyPrefixInvalid: (found: unknown) =>
    `keyPrefix takes 1 or more characters, but not "{" or "}"; found ${describeValue(found)}.`,
  cursorInvalid: (found: unknown) =>
    `cursor must be the nextCursor of an earlier page; found ${describeValue(found)}.`,
} as const;
