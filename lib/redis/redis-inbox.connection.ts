import { createHash } from 'node:crypto';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { MESSAGES } from './redis.messages.js';

/** What a {@link RedisInboxStore} needs of its client: an `ioredis` `Redis` or `Cluster` has it. */
export interface RedisClientLike {
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  hgetall(key: string): Promise<Record<string, string>>;
  getBuffer(key: string): Promise<Buffer | null>;
  ping(): Promise<string>;
}

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

/** A Lua script, which Redis knows by its digest. */
export class RedisScript {
  readonly #sha1: string;

  constructor(private readonly source: string) {
    this.#sha1 = createHash('sha1').update(source).digest('hex');
  }

  /** One round trip; a second one where Redis has not seen the script since its start. */
  async run(
    client: RedisClientLike,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<unknown> {
    try {
      return await client.evalsha(this.#sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return client.eval(this.source, keys.length, ...keys, ...args);
    }
  }
}

/** The caller's client as the store uses it: every failure becomes a {@link RedisInboxError}. */
export class RedisInboxConnection {
  constructor(private readonly client: RedisClientLike) {}

  /** Runs a script that answers a list of texts or a number. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<string[]> {
    const reply = await this.#reach(() => script.run(this.client, keys, args));
    return Array.isArray(reply) ? reply.map(String) : [String(reply)];
  }

  hash(key: string): Promise<Record<string, string>> {
    return this.#reach(() => this.client.hgetall(key));
  }

  bytes(key: string): Promise<Buffer | null> {
    return this.#reach(() => this.client.getBuffer(key));
  }

  ping(): Promise<string> {
    return this.#reach(() => this.client.ping());
  }

  async #reach<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      throw new RedisInboxError(error);
    }
  }
}
