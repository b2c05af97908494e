import { createHash } from 'node:crypto';
import type { RedisClientLike } from './redis-client-like.js';

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
