/** What a {@link RedisInboxStore} needs of its client: an `ioredis` `Redis` or `Cluster` has it. */
export interface RedisClientLike {
  evalsha(sha1: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  eval(script: string, keyCount: number, ...keysAndArguments: (string | Buffer)[]): Promise<unknown>;
  hgetall(key: string): Promise<Record<string, string>>;
  getBuffer(key: string): Promise<Buffer | null>;
  ping(): Promise<string>;
}
