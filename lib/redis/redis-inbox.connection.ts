import type { RedisClientLike } from './redis-client-like.js';
import { RedisInboxError } from './redis-inbox.error.js';
import type { RedisScript } from './redis-script.js';

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
