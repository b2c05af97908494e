import type { InboxEntry, InboxKey } from '../inbox/inbox-entry.js';
import type { InboxFilter, InboxPage, InboxPageRequest } from '../inbox/inbox-store.js';
import { toInboxEntry } from './redis-entry.js';
import type { RedisInboxConnection } from './redis-inbox.connection.js';
import { INDEXED_STATES, memberOf, type RedisInboxKeys, type RedisIndex } from './redis-inbox.keys.js';
import { FORGET } from './redis-inbox.scripts.js';
import {
  type IndexPlace,
  type ListedEvent,
  parseCursor,
  RedisIndexReader,
  toCursor,
} from './redis-index.reader.js';

const DEFAULT_PAGE_SIZE = 50;
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

function matches({ type, handlers }: InboxEntry, filter: InboxFilter): boolean {
  return (
    (filter.type === undefined || filter.type === type) &&
    (filter.state === undefined || handlers.some(({ state }) => state === filter.state))
  );
}
