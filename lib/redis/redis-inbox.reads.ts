import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type {
  InboxEntry,
  InboxFilter,
  InboxKey,
  InboxPage,
  InboxPageRequest,
  InboxRun,
  RunError,
  RunState,
} from '../inbox/inbox-store.js';
import { DEFAULT_PAGE_SIZE, RUN_STATES } from '../inbox/inbox-store.js';
import { MESSAGES } from './redis.messages.js';
import type { RedisInboxConnection } from './redis-inbox.connection.js';
import {
  BUCKETS,
  INDEXED_STATES,
  keyOfMember,
  memberOf,
  positionOfIndex,
  type RedisInboxKeys,
  type RedisIndex,
} from './redis-inbox.keys.js';
import { FORGET, READ_INDEX } from './redis-inbox.scripts.js';

const ROW = 'row:';

/** An event's hash as people read it, or undefined where Redis has none. */
function toInboxEntry(
  { endpoint, eventId }: InboxKey,
  hash: Readonly<Record<string, string>>,
): InboxEntry | undefined {
  const { type, occurredAt, receivedAt } = hash;
  if (type === undefined || occurredAt === undefined || receivedAt === undefined) return undefined;
  const runs = Object.keys(hash)
    .filter((field) => field.startsWith(ROW))
    .map((field) => toRow(field.slice(ROW.length), hash))
    .sort((one, other) => one.position - other.position)
    .map(({ row }) => row);
  return {
    endpoint,
    eventId,
    type,
    occurredAt,
    receivedAt: new Date(Math.floor(Number(receivedAt) / 1000)),
    runs,
  };
}

function toRow(
  handlerId: string,
  hash: Readonly<Record<string, string>>,
): { row: InboxRun; position: number } {
  const [state, attempts, updatedAt, position] = hash[ROW + handlerId]?.split(' ') ?? [];
  const error = toError(hash[`error:${handlerId}`]);
  const row = {
    handlerId,
    state: toState(state),
    attempts: Number(attempts),
    updatedAt: new Date(Number(updatedAt)),
    ...(error && { error }),
  };
  return { row, position: Number(position) };
}

/** `failed` where another version of this library wrote a state that this one does not know. */
function toState(text: string | undefined): RunState {
  return RUN_STATES.find((state) => state === text) ?? 'failed';
}

function toError(json: string | undefined): RunError | undefined {
  if (json === undefined) return undefined;
  const { name, message }: Record<string, unknown> = JSON.parse(json);
  return { name: String(name), message: String(message) };
}

/** An event's place in the order of receipt. */
interface IndexPlace {
  readonly member: string;
  /** When the event was received, in µs. */
  readonly score: number;
}

/** An event that an index lists. */
interface ListedEvent extends IndexPlace {
  readonly key: InboxKey;
}

const START: IndexPlace = { member: '', score: -Infinity };

/** Reads the indexes of all buckets as one, in the order of receipt. */
class RedisIndexReader {
  constructor(
    private readonly connection: RedisInboxConnection,
    private readonly keys: RedisInboxKeys,
  ) {}

  /** How many events the index lists. */
  async size(index: RedisIndex): Promise<number> {
    const replies = await Promise.all(BUCKETS.map((bucket) => this.#ask(bucket, index, START, 0)));
    return replies.reduce((total, [size]) => total + Number(size), 0);
  }

  /** What the index lists after a place, in batches of at most `size`. */
  async *batches(index: RedisIndex, size: number, after = START): AsyncGenerator<ListedEvent[]> {
    let last = after;
    for (let more = true; more; ) {
      const pages = await Promise.all(BUCKETS.map((bucket) => this.#page(bucket, index, last, size)));
      const unfinished = pages.filter((page) => page.length >= size).flatMap((page) => page.at(-1) ?? []);
      const [horizon] = unfinished.sort(byReceipt);
      const listed = pages.flat().sort(byReceipt);
      // Beyond the horizon, a bucket that has more to give might come in between.
      const known = horizon ? listed.filter((event) => byReceipt(event, horizon) <= 0) : listed;
      for (let start = 0; start < known.length; start += size) yield known.slice(start, start + size);
      last = known.at(-1) ?? last;
      more = unfinished.length > 0;
    }
  }

  async #page(bucket: number, index: RedisIndex, after: IndexPlace, limit: number): Promise<ListedEvent[]> {
    const [, ...found] = await this.#ask(bucket, index, after, limit);
    const listed: ListedEvent[] = [];
    for (let position = 0; position < found.length; position += 2) {
      const [member = '', score] = found.slice(position, position + 2);
      listed.push({ member, score: Number(score), key: keyOfMember(member) });
    }
    return listed.filter((event) => byReceipt(event, after) > 0);
  }

  #ask(bucket: number, index: RedisIndex, after: IndexPlace, limit: number): Promise<string[]> {
    const from = after === START ? '-inf' : String(after.score);
    const args = [String(positionOfIndex(index)), from, String(limit)];
    return this.connection.run(READ_INDEX, this.keys.ofBucket(bucket), args);
  }
}

/** The cursor of the page that follows a place. */
function toCursor({ score, member }: IndexPlace): string {
  return `${score}-${member}`;
}

/** @throws ScalekitWebhooksConfigurationError when the text is no cursor */
function parseCursor(cursor: string): IndexPlace {
  const [, score, member] = /^(\d{1,17})-(.+)$/.exec(cursor) ?? [];
  if (score === undefined || member === undefined) {
    throw new ScalekitWebhooksConfigurationError('cursor', MESSAGES.redisCursorInvalid(cursor));
  }
  return { score: Number(score), member };
}

/** By time; within a µs by name, as Redis sorts them. */
function byReceipt(one: IndexPlace, other: IndexPlace): number {
  if (one.score !== other.score) return one.score < other.score ? -1 : 1;
  if (one.member === other.member) return 0;
  return one.member < other.member ? -1 : 1;
}

const BATCH_SIZE = 200;
const MICROS_PER_MS = 1000;

/** The ledger as people read and prune it. */
export class RedisEntryReader {
  readonly #index: RedisIndexReader;

  constructor(
    private readonly connection: RedisInboxConnection,
    private readonly keys: RedisInboxKeys,
  ) {
    this.#index = new RedisIndexReader(connection, keys);
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    return toInboxEntry(key, await this.connection.hash(this.keys.event(key)));
  }

  async list(
    filter: InboxFilter,
    { limit = DEFAULT_PAGE_SIZE, cursor }: InboxPageRequest,
  ): Promise<InboxPage> {
    const after = cursor === undefined ? undefined : parseCursor(cursor);
    const found: { entry: InboxEntry; place: IndexPlace }[] = [];
    for await (const batch of this.#matching(filter, Math.min(limit + 1, BATCH_SIZE), after)) {
      found.push(...batch);
      if (found.length > limit) break;
    }
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return { entries: page.map(({ entry }) => entry), ...(last && { nextCursor: toCursor(last.place) }) };
  }

  async count(filter: InboxFilter): Promise<number> {
    const index = indexFor(filter);
    const answersAlone = filter.state === undefined ? index === 'received' : index === filter.state;
    if (answersAlone && filter.endpoint === undefined && filter.type === undefined) {
      return this.#index.size(index);
    }
    let count = 0;
    for await (const batch of this.#matching(filter, BATCH_SIZE)) count += batch.length;
    return count;
  }

  async prune(before: Date): Promise<number> {
    const end = before.getTime() * MICROS_PER_MS;
    let forgotten = 0;
    for await (const listed of this.#index.batches('received', BATCH_SIZE)) {
      const old = listed.filter(({ score }) => score < end);
      const counts = await Promise.all(old.map(({ key }) => this.#forget(key, end)));
      forgotten += counts.reduce((total, count) => total + count, 0);
      if (old.length < listed.length) break;
    }
    return forgotten;
  }

  async *#matching(
    filter: InboxFilter,
    batchSize: number,
    after?: IndexPlace,
  ): AsyncGenerator<{ entry: InboxEntry; place: IndexPlace }[]> {
    for await (const listed of this.#index.batches(indexFor(filter), batchSize, after)) {
      const wanted = listed.filter(
        ({ key }) => filter.endpoint === undefined || key.endpoint === filter.endpoint,
      );
      const entries = await Promise.all(wanted.map((event) => this.#read(event)));
      yield entries
        .flatMap((entry, position) => {
          const place = wanted[position];
          return entry && place ? [{ entry, place }] : [];
        })
        .filter(({ entry }) => matches(entry, filter));
    }
  }

  async #read({ key }: ListedEvent): Promise<InboxEntry | undefined> {
    const entry = await this.get(key);
    // Whoever evicts or deletes an entry by hand leaves its place in the index.
    if (!entry) await this.#forget(key, 0);
    return entry;
  }

  async #forget(key: InboxKey, end: number): Promise<number> {
    const [forgotten] = await this.connection.run(FORGET, this.keys.ofEvent(key), [
      memberOf(key),
      String(end),
    ]);
    return Number(forgotten);
  }
}

function indexFor({ state }: InboxFilter): RedisIndex {
  return INDEXED_STATES.find((indexed) => indexed === state) ?? 'received';
}

function matches({ type, runs }: InboxEntry, filter: InboxFilter): boolean {
  return (
    (filter.type === undefined || filter.type === type) &&
    (filter.state === undefined || runs.some(({ state }) => state === filter.state))
  );
}
