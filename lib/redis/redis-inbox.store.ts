import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import {
  type InboxEntry,
  type InboxErasure,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  type RunState,
} from '../inbox/inbox-queries.js';
import {
  type Admission,
  type InboxDelivery,
  type InboxEntity,
  type InboxEvent,
  type InboxLease,
  type InboxWarningReporter,
  type RunClaim,
  type RunSettlement,
} from '../inbox/inbox-store.js';
import type {
  InboxEncryptionStore,
  InboxRecoveryStore,
  RecoveryStart,
  ReencryptedPage,
} from '../inbox/inbox-work.js';
import type { PayloadProtection } from '../inbox/payload-protection.js';
import { entityKey } from '../inbox/run-states.js';
import {
  RedisInboxConnection,
  type RedisInboxOptions,
  RedisScript,
  resolveOptions,
} from './redis-inbox.connection.js';
import { keyOfMember, memberOf, RedisInboxKeys } from './redis-inbox.keys.js';
import { RedisEntryReader, toDeliveryText } from './redis-inbox.reads.js';
import { ADMIT, CLAIM, DISMISS, LOOK, REOPEN, SETTLE } from './redis-inbox.scripts.js';

const RECOVERY = `
local key, token = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local checkpoint, holder, endsAt = unpack(redis.call('HMGET', key, 'checkpoint', 'token', 'endsAt'))
`;

/**
 * Gives a process the right to recover, unless another one has it. ARGV: token, duration. Returns 'begun' and the
 * checkpoint, or nothing.
 */
const BEGIN_RECOVERY = new RedisScript(`${RECOVERY}
if holder and holder ~= token and tonumber(endsAt) > now then return {} end
redis.call('HSET', key, 'token', token, 'endsAt', string.format('%.0f', now + tonumber(ARGV[2])))
return { 'begun', checkpoint or '' }
`);

/** Ends a recovery. ARGV: token, checkpoint in ms, or empty. Returns whether the lease was held. The token stays, so that the end can be repeated. */
const END_RECOVERY = new RedisScript(`${RECOVERY}
if holder ~= token then return 0 end
redis.call('HSET', key, 'endsAt', string.format('%.0f', now))
if ARGV[2] ~= '' and tonumber(ARGV[2]) > tonumber(checkpoint or 0) then redis.call('HSET', key, 'checkpoint', ARGV[2]) end
return 1
`);

/**
 * An inbox in Redis 5 or later, or in a Redis Cluster. It is durable, and many processes can share it. A claim and a
 * settlement take one script and one round trip each. All times come from the clock of the Redis server.
 *
 * Configure Redis to keep its data. If it loses some, a retry runs handlers again:
 *
 * - Set `appendonly yes`. With `appendfsync everysec`, a crash of the machine can lose the last second; with `always`,
 *   nothing.
 * - Set `maxmemory-policy noeviction`. With any other policy, Redis can evict events to free memory.
 *
 * While Redis is down, the client decides how long a command waits. The dispatcher responds with 503 at its deadline in any
 * case, and every command fails after 10 s. `maxRetriesPerRequest: 1` and a `commandTimeout` below `handlerTimeoutMs` make
 * commands fail sooner. `socketTimeout` makes the client replace a connection that no longer responds.
 * `enableOfflineQueue: false` makes commands fail at once, even while the application is still connecting. BullMQ needs
 * `maxRetriesPerRequest: null`, so give it its own client.
 *
 * Every failure of Redis or of the client rejects with a {@link RedisInboxError}.
 *
 * @example
 * const client = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 1, commandTimeout: 5000, socketTimeout: 6000 });
 * client.on('error', (error) => console.error(error.message));
 * ScalekitWebhooksModule.forRoot({ inbox: new RedisInboxStore({ client, application: 'billing' }) });
 */
export class RedisInboxStore implements InboxRecoveryStore, InboxEncryptionStore {
  readonly application: string;
  readonly #connection: RedisInboxConnection;
  readonly #keys: RedisInboxKeys;
  readonly #reader: RedisEntryReader;
  readonly #retentionMs: string;
  readonly #protection: PayloadProtection;
  readonly #reported = new Set<string>();
  #warn: InboxWarningReporter = () => {};

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: RedisInboxOptions) {
    const { client, application, keyPrefix, retentionMs, protection } = resolveOptions(options);
    this.application = application;
    this.#connection = new RedisInboxConnection(client);
    this.#keys = new RedisInboxKeys(keyPrefix, application);
    this.#reader = new RedisEntryReader(this.#connection, this.#keys);
    this.#retentionMs = String(retentionMs);
    this.#protection = protection;
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const { payload, delivery } = this.#protection.toStored(event);
    const replies = await this.#run(CLAIM, event, [
      lease.token,
      String(lease.durationMs),
      lease.takesOver ?? '',
      lease.takesQueued ? 'queued' : '',
      toStorableText(event.type),
      toStorableText(event.occurredAt),
      Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
      toStorableText(event.organizationId ?? ''),
      toStorableText(event.entity ?? ''),
      toDeliveryText(delivery),
      ...handlerIds.map(toStorableText),
    ]);
    return new Map(handlerIds.map((handlerId, position) => [handlerId, toRunClaim(replies[position])]));
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const runs = settlements.flatMap(({ handlerId, state, error }) => {
      // JSON escapes lone surrogates.
      const json = error ? JSON.stringify({ name: error.name, message: error.message }) : '';
      return [toStorableText(handlerId), state, json];
    });
    const written = await this.#run(SETTLE, key, [lease.token, ...runs]);
    return written.flatMap((position) => settlements[Number(position)]?.handlerId ?? []);
  }

  /** Takes one round trip for the first event of an entity, and three for the others: their runs are in other slots. */
  async admit(key: InboxKey, handlerId: string, lease: InboxLease, entity: InboxEntity): Promise<Admission> {
    const name = this.#keys.entity(entityKey(key, handlerId, entity.name));
    const args = [this.#retentionMs, memberOf(key), lease.token, String(entity.occurredAt)];
    const ask = (...known: string[]) => this.#connection.run(ADMIT, [name], [...args, ...known]);
    const look = async (event: InboxKey, token: string, note = '') => {
      const seen = [memberOf(event), toStorableText(handlerId), token, note];
      const [state = 'running'] = await this.#connection.run(LOOK, this.#keys.ofEvent(event), seen);
      return state;
    };
    const [own, first] = await Promise.all([look(key, lease.token), ask('', '', '')]);
    let [answer, member = '', token = ''] = first;
    if (own !== 'running') return 'busy';
    if (answer === 'held') {
      const last = keyOfMember(member);
      // An earlier attempt of the same event has ended. Otherwise, this one would not have the lease.
      const state = last.eventId === key.eventId ? 'ended' : await look(last, token);
      if (state === 'running') return 'busy';
      [answer] = await ask(member, token, state);
    }
    if (answer === 'stale') await look(key, lease.token, 'stale');
    return answer === 'admitted' || answer === 'stale' ? answer : 'busy';
  }

  async payload(key: InboxKey): Promise<Uint8Array | undefined> {
    const payload = await this.#connection.bytes(this.#keys.payload(key));
    return this.#protection.open(key, payload ?? undefined);
  }

  async delivery(key: InboxKey): Promise<InboxDelivery | undefined> {
    return this.#protection.openDelivery(key, await this.#reader.delivery(key));
  }

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const asked = handlerIds?.map(toStorableText) ?? [];
    const reopened = await this.#run(REOPEN, key, [handlerIds ? 'asked' : 'all', ...asked]);
    return reopened.map(fromStorableText);
  }

  async dismiss(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const asked = handlerIds?.map(toStorableText) ?? [];
    const dismissed = await this.#run(DISMISS, key, [handlerIds ? 'asked' : 'all', ...asked]);
    return dismissed.map(fromStorableText);
  }

  /** Counts the runs. Without `done` among the states, it reads only the entries that have such runs; otherwise, all. */
  stats(endpoint?: string, states?: readonly RunState[]): Promise<readonly InboxRunCount[]> {
    return this.#reader.stats(endpoint, states);
  }

  get(key: InboxKey): Promise<InboxEntry | undefined> {
    return this.#reader.get(key);
  }

  /**
   * Lists entries, oldest first, by the clock of the server (on a cluster, by the clocks of its nodes).
   * @throws ScalekitWebhooksConfigurationError when the cursor is not the `nextCursor` of an earlier page
   */
  list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    return this.#reader.list(filter, page);
  }

  /**
   * Counts the entries that match. If the filter is empty, or is only a state other than `done`, the store does not have to
   * read them.
   */
  count(filter: InboxFilter = {}): Promise<number> {
    return this.#reader.count(filter);
  }

  prune(before: Date): Promise<number> {
    return this.#reader.prune(before);
  }

  erase(which: InboxErasure): Promise<number> {
    return this.#reader.erase(which);
  }

  reencrypt(page: InboxPageRequest = {}): Promise<ReencryptedPage> {
    return this.#protection.reencrypt(this, this.#reader, page);
  }

  async beginRecovery(
    endpoint: string,
    { token, durationMs }: InboxLease,
  ): Promise<RecoveryStart | undefined> {
    const args = [toStorableText(token), String(durationMs)];
    const [begun, checkpoint = ''] = await this.#connection.run(
      BEGIN_RECOVERY,
      [this.#keys.recovery(endpoint)],
      args,
    );
    if (begun === undefined) return undefined;
    return checkpoint === '' ? {} : { checkpoint: new Date(Number(checkpoint)) };
  }

  async endRecovery(endpoint: string, { token }: InboxLease, checkpoint?: Date): Promise<boolean> {
    const args = [toStorableText(token), checkpoint === undefined ? '' : String(checkpoint.getTime())];
    const [held] = await this.#connection.run(END_RECOVERY, [this.#keys.recovery(endpoint)], args);
    return held === '1';
  }

  onWarning(report: InboxWarningReporter): void {
    this.#warn = report;
  }

  /**
   * Resolves if the server accepts what the store does. If the server can evict events, it passes a warning to `onWarning`,
   * once. It does not connect a client with `lazyConnect`, so such a client is not checked before its first command.
   */
  async ping(): Promise<void> {
    const risks = await this.#connection.ping(this.#keys.probe);
    for (const risk of risks.filter((text) => !this.#reported.has(text))) {
      this.#reported.add(risk);
      this.#warn(risk);
    }
  }

  /** Does nothing: closing the client is up to you. */
  async close(): Promise<void> {}

  #run(script: RedisScript, key: InboxKey, args: readonly (string | Buffer)[]): Promise<string[]> {
    const common = [memberOf(key), this.#retentionMs, this.#protection.dropsPayloads ? 'drop' : ''];
    return this.#connection.run(script, this.#keys.ofEvent(key), [...common, ...args]);
  }
}

/** Reads one reply of the claim script. */
function toRunClaim(reply = ''): RunClaim {
  const [state, number] = reply.split(' ');
  if (state === 'claimed') return { state, attempt: Number(number) };
  if (state === 'running') return { state, leaseEndsInMs: Number(number) };
  return { state: state === 'queued' || state === 'done' ? state : 'dead' };
}
