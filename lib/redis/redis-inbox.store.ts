import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { refuseSetting, requirePositiveInteger } from '../errors/settings.js';
import type {
  InboxEntry,
  InboxEvent,
  InboxFilter,
  InboxKey,
  InboxLease,
  InboxPage,
  InboxPageRequest,
  InboxStore,
  RunClaim,
  RunSettlement,
} from '../inbox/inbox-store.js';
import { DEFAULT_RETENTION_MS } from '../inbox/inbox-store.js';
import { MESSAGES } from './redis.messages.js';
import { type RedisClientLike, RedisInboxConnection, type RedisScript } from './redis-inbox.connection.js';
import { memberOf, RedisInboxKeys } from './redis-inbox.keys.js';
import { RedisEntryReader } from './redis-inbox.reads.js';
import { CLAIM, REOPEN, SETTLE } from './redis-inbox.scripts.js';

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
  readonly retentionMs?: number;
}

const COMMANDS = ['evalsha', 'eval', 'hgetall', 'getBuffer', 'ping'] as const;
const DEFAULT_KEY_PREFIX = 'scalekit-webhooks';

/** @throws ScalekitWebhooksConfigurationError when an option cannot work */
export function resolveRedisInboxOptions(options: RedisInboxOptions): Required<RedisInboxOptions> {
  const { client, keyPrefix = DEFAULT_KEY_PREFIX, retentionMs = DEFAULT_RETENTION_MS } = options;
  const missing = COMMANDS.find((command) => typeof client?.[command] !== 'function');
  if (missing) refuseSetting('client', `client must be an ioredis client: it has no ${missing}().`);
  if (!/^[^{}]+$/.test(keyPrefix)) {
    throw new ScalekitWebhooksConfigurationError('keyPrefix', MESSAGES.redisKeyPrefixInvalid(keyPrefix));
  }
  requirePositiveInteger('retentionMs', retentionMs);
  return Object.freeze({ client, keyPrefix, retentionMs });
}

/**
 * The inbox in Redis (5 or newer) or a Redis Cluster: it lasts, and any number of processes share it. A claim and a
 * settlement are one script and one round trip each, by the clock of the server alone.
 *
 * Redis must be set up to keep a ledger, or a retry after a loss runs handlers again:
 *
 * - `appendonly yes`. With `appendfsync everysec` a crash of the machine may lose the last second, with `always` nothing.
 * - `maxmemory-policy noeviction`: under any other policy Redis may forget events to make room.
 *
 * While Redis is down, the client decides how long a command waits. The dispatcher answers 503 at the deadline whatever
 * the client does; `maxRetriesPerRequest: 1` and a `commandTimeout` below the handlers' time make it fail sooner.
 * `enableOfflineQueue: false` makes it fail at once, and also while the application is still connecting at its start.
 * BullMQ wants `maxRetriesPerRequest: null`: give it a client of its own.
 *
 * Every failure of Redis or of the client rejects with a `RedisInboxError`.
 *
 * @example
 * const client = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 1, commandTimeout: 5000 });
 * ScalekitWebhooksModule.forRoot({ inbox: new RedisInboxStore({ client }) });
 */
export class RedisInboxStore implements InboxStore {
  readonly #connection: RedisInboxConnection;
  readonly #keys: RedisInboxKeys;
  readonly #reader: RedisEntryReader;
  readonly #retentionMs: string;

  /** @throws ScalekitWebhooksConfigurationError when an option cannot work */
  constructor(options: RedisInboxOptions) {
    const { client, keyPrefix, retentionMs } = resolveRedisInboxOptions(options);
    this.#connection = new RedisInboxConnection(client);
    this.#keys = new RedisInboxKeys(keyPrefix);
    this.#reader = new RedisEntryReader(this.#connection, this.#keys);
    this.#retentionMs = String(retentionMs);
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const { buffer, byteOffset, byteLength } = event.payload;
    const answers = await this.#run(CLAIM, event, [
      lease.token,
      String(lease.durationMs),
      lease.takesOver ?? '',
      event.type,
      event.occurredAt,
      Buffer.from(buffer, byteOffset, byteLength),
      ...handlerIds,
    ]);
    return new Map(handlerIds.map((handlerId, position) => [handlerId, toClaim(answers[position])]));
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const runs = settlements.flatMap(({ handlerId, state, error }) => {
      return [handlerId, state, error ? JSON.stringify({ name: error.name, message: error.message }) : ''];
    });
    const written = await this.#run(SETTLE, key, [lease.token, ...runs]);
    return written.flatMap((position) => settlements[Number(position)]?.handlerId ?? []);
  }

  async payload(key: InboxKey): Promise<Uint8Array | undefined> {
    return (await this.#connection.bytes(this.#keys.payload(key))) ?? undefined;
  }

  reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    return this.#run(REOPEN, key, [handlerIds ? 'asked' : 'all', ...(handlerIds ?? [])]);
  }

  get(key: InboxKey): Promise<InboxEntry | undefined> {
    return this.#reader.get(key);
  }

  /**
   * A page of entries, oldest first: by the clock of the server, on a cluster by those of its nodes. The filters
   * `running`, `queued`, `failed` and `dead` read an index; all others read the entries one by one.
   */
  list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    return this.#reader.list(filter, page);
  }

  /** How many entries match. Reads no entries where there is no filter, or none but a state other than `done`. */
  count(filter: InboxFilter = {}): Promise<number> {
    return this.#reader.count(filter);
  }

  prune(before: Date): Promise<number> {
    return this.#reader.prune(before);
  }

  async ping(): Promise<void> {
    await this.#connection.ping();
  }

  /** Does nothing: the client is the caller's to close. */
  async close(): Promise<void> {}

  #run(script: RedisScript, key: InboxKey, args: readonly (string | Buffer)[]): Promise<string[]> {
    return this.#connection.run(script, this.#keys.ofEvent(key), [memberOf(key), this.#retentionMs, ...args]);
  }
}

function toClaim(answer = ''): RunClaim {
  const [state, number] = answer.split(' ');
  if (state === 'claimed') return { state, attempt: Number(number) };
  if (state === 'running') return { state, leaseEndsInMs: Number(number) };
  return { state: state === 'queued' || state === 'done' ? state : 'dead' };
}
