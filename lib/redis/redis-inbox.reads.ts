import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import {
  DEFAULT_PAGE_SIZE,
  eventMatches,
  type InboxEntry,
  type InboxErasure,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRun,
  type InboxRunCount,
  isAboutRuns,
  RUN_STATES,
  RunCounter,
  type RunError,
  type RunState,
  runMatches,
} from '../inbox/inbox-queries.js';
import type { StoredDelivery, StoredTexts } from '../inbox/payload-protection.js';
import { MESSAGES, type RedisInboxConnection } from './redis-inbox.connection.js';
import {
  ALWAYS,
  facet,
  facetOfErrors,
  type IndexPlace,
  type ListedEvent,
  type ReceivedWithin,
  RedisIndexReader,
  type RedisListing,
} from './redis-inbox.index.js';
import { INDEXED_STATES, memberOf, type RedisInboxKeys } from './redis-inbox.keys.js';
import { DELETE_EVENT, ERASE, REPLACE_TEXTS } from './redis-inbox.scripts.js';

const BATCH_SIZE = 200;
// Of names only.
const LARGEST_BATCH = 5000;
const MICROS_PER_MS = 1000;

interface FoundEntry {
  readonly entry: InboxEntry;
  readonly place: IndexPlace;
}

/** Reads, counts and prunes entries. */
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

  /** How an event arrived, as it is stored. */
  async delivery(key: InboxKey): Promise<StoredDelivery | undefined> {
    const { delivery } = await this.connection.hash(this.keys.event(key));
    return delivery === undefined ? undefined : JSON.parse(fromStorableText(delivery));
  }

  /** What is stored of an event, as it is stored. */
  async read(key: InboxKey): Promise<StoredTexts | undefined> {
    const payload = await this.connection.bytes(this.keys.payload(key));
    const delivery = payload && (await this.delivery(key));
    return payload ? { payload, ...(delivery && { delivery }) } : undefined;
  }

  /** Replaces what is stored of an event, if its payload is still the old one. */
  async replace(key: InboxKey, old: Uint8Array, { payload, delivery }: StoredTexts): Promise<boolean> {
    const keys = [this.keys.payload(key), this.keys.event(key)];
    const texts = [Buffer.from(old), Buffer.from(payload), toDeliveryText(delivery)];
    const [replaced] = await this.connection.run(REPLACE_TEXTS, keys, texts);
    return replaced === '1';
  }

  async list(
    filter: InboxFilter,
    { limit = DEFAULT_PAGE_SIZE, cursor }: InboxPageRequest,
  ): Promise<InboxPage> {
    const after = cursor === undefined ? undefined : parseCursor(cursor);
    const found: FoundEntry[] = [];
    for await (const batch of this.#matching(filter, Math.min(limit + 1, BATCH_SIZE), after)) {
      found.push(...batch);
      if (found.length > limit) break;
    }
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return { entries: page.map(({ entry }) => entry), ...(last && { nextCursor: toCursor(last.place) }) };
  }

  async count(filter: InboxFilter): Promise<number> {
    const { listing, covers } = listingFor(filter);
    const others = Object.entries(filter).filter(
      ([name, value]) => value !== undefined && !covers.includes(name),
    );
    if (others.length === 0) return this.#index.size(listing, receivedWithin(filter));
    let count = 0;
    if (others.every(([name]) => name === 'endpoint')) {
      // The names of the events say which endpoint received them.
      for await (const listed of this.#index.batches(listing, LARGEST_BATCH, receivedWithin(filter))) {
        count += listed.filter(({ key }) => key.endpoint === filter.endpoint).length;
      }
      return count;
    }
    for await (const batch of this.#matching(filter, BATCH_SIZE)) count += batch.length;
    return count;
  }

  async stats(
    endpoint?: string,
    states: readonly RunState[] = RUN_STATES,
  ): Promise<readonly InboxRunCount[]> {
    const counted = [];
    // An entry can be in the indexes of several states, each of which counts its own runs.
    for (const some of states.includes('done') ? [states] : states.map((state) => [state])) {
      const counter = new RunCounter(some);
      const [state] = some.length === 1 ? some : [];
      for await (const batch of this.#matching({ endpoint, ...(state && { state }) }, BATCH_SIZE)) {
        for (const { entry } of batch) counter.add(entry);
      }
      counted.push(...counter.counts);
    }
    return counted;
  }

  async prune(before: Date): Promise<number> {
    const end = before.getTime() * MICROS_PER_MS;
    let pruned = 0;
    for await (const listed of this.#index.batches('received', BATCH_SIZE)) {
      const old = listed.filter(({ score }) => score < end);
      const counts = await Promise.all(old.map(({ key }) => this.#delete(key, end)));
      pruned += counts.reduce((total, count) => total + count, 0);
      if (old.length < listed.length) break;
    }
    return pruned;
  }

  async erase({ endpoint, organizationId, entity }: InboxErasure): Promise<number> {
    const listing =
      organizationId === undefined
        ? facet('e', toStorableText(entity))
        : facet('o', toStorableText(organizationId));
    let erased = 0;
    for await (const listed of this.#index.batches(listing, BATCH_SIZE)) {
      const own = listed.filter(({ key }) => endpoint === undefined || key.endpoint === endpoint);
      const counts = await Promise.all(
        own.map(({ key, member }) => this.connection.run(ERASE, this.keys.ofEvent(key), [member])),
      );
      erased += counts.reduce((total, [count]) => total + Number(count), 0);
    }
    return erased;
  }

  async *#matching(filter: InboxFilter, batchSize: number, after?: IndexPlace): AsyncGenerator<FoundEntry[]> {
    const { listing } = listingFor(filter);
    for await (const listed of this.#index.batches(listing, batchSize, receivedWithin(filter), after)) {
      const wanted = listed.filter(
        ({ key }) => filter.endpoint === undefined || key.endpoint === filter.endpoint,
      );
      const found = await Promise.all(wanted.map((event) => this.#find(event)));
      yield found
        .flat()
        .filter(({ entry }) => eventMatches(filter, entry))
        .filter(({ entry }) => !isAboutRuns(filter) || entry.runs.some((run) => runMatches(filter, run)));
    }
  }

  async #find(event: ListedEvent): Promise<FoundEntry[]> {
    const entry = await this.get(event.key);
    if (entry) return [{ entry, place: event }];
    // If Redis evicted the event, or someone deleted its key, the indexes still list it.
    await this.#delete(event.key, 0);
    return [];
  }

  async #delete(key: InboxKey, end: number): Promise<number> {
    const args = [memberOf(key), String(end)];
    const [deleted] = await this.connection.run(DELETE_EVENT, this.keys.ofEvent(key), args);
    return Number(deleted);
  }
}

/** What lists the fewest events that a filter can match, and the conditions that all of them meet. */
function listingFor(filter: InboxFilter): { listing: RedisListing; covers: readonly string[] } {
  const { state, handler, entity, error, organizationId, type } = filter;
  const covered = (listing: RedisListing, ...names: (keyof InboxFilter)[]) => ({
    listing,
    covers: [...names, 'receivedAfter', 'receivedBefore'],
  });
  const indexed = INDEXED_STATES.find((one) => one === state);
  if (entity !== undefined) return covered(facet('e', toStorableText(entity)), 'entity');
  if (error !== undefined) return covered(facetOfErrors(error));
  if (indexed && indexed !== 'running' && handler !== undefined) {
    return covered(facet(indexed.charAt(0), toStorableText(handler)), 'state', 'handler');
  }
  if (indexed) return covered(indexed, 'state');
  if (organizationId !== undefined)
    return covered(facet('o', toStorableText(organizationId)), 'organizationId');
  if (handler !== undefined) return covered(facet('h', toStorableText(handler)), 'handler');
  if (type !== undefined) return covered(facet('t', toStorableText(type)), 'type');
  return covered('received');
}

function receivedWithin({ receivedAfter, receivedBefore }: InboxFilter): ReceivedWithin {
  const toMicros = (time: Date) =>
    Math.min(Math.max(time.getTime() * MICROS_PER_MS, ALWAYS.first), ALWAYS.last);
  return {
    first: receivedAfter ? toMicros(receivedAfter) : ALWAYS.first,
    last: receivedBefore ? toMicros(receivedBefore) : ALWAYS.last,
  };
}

const RUN_FIELD = 'run:';

/** How an event arrived, as the scripts get it. */
export function toDeliveryText(delivery: StoredDelivery | undefined): string {
  return delivery ? toStorableText(JSON.stringify(delivery)) : '';
}

/** Reads the hash of an event, which is empty if the event does not exist. */
function toInboxEntry(
  { endpoint, eventId }: InboxKey,
  hash: Readonly<Record<string, string>>,
): InboxEntry | undefined {
  const { type, occurredAt, organization, entity, receivedAt, erasedAt } = hash;
  if (type === undefined || occurredAt === undefined || receivedAt === undefined) return undefined;
  const runs = Object.keys(hash)
    .filter((field) => field.startsWith(RUN_FIELD))
    .map((field) => toInboxRun(field.slice(RUN_FIELD.length), hash))
    .sort((one, other) => one.position - other.position)
    .map(({ run }) => run);
  return {
    endpoint,
    eventId,
    type: fromStorableText(type),
    occurredAt: fromStorableText(occurredAt),
    ...(organization !== undefined && { organizationId: fromStorableText(organization) }),
    ...(entity !== undefined && { entity: fromStorableText(entity) }),
    receivedAt: new Date(Math.floor(Number(receivedAt) / MICROS_PER_MS)),
    ...(erasedAt !== undefined && { erasedAt: new Date(Number(erasedAt)) }),
    runs,
  };
}

function toInboxRun(
  handlerId: string,
  hash: Readonly<Record<string, string>>,
): { run: InboxRun; position: number } {
  const [state, attempts, updatedAt, position] = hash[RUN_FIELD + handlerId]?.split(' ') ?? [];
  const error = toRunError(hash[`error:${handlerId}`]);
  const run = {
    handlerId: fromStorableText(handlerId),
    state: toRunState(state),
    attempts: Number(attempts),
    updatedAt: new Date(Number(updatedAt)),
    ...(error && { error }),
    ...(state === 'done' && hash[`note:${handlerId}`] === 'stale' && { note: 'stale' as const }),
  };
  return { run, position: Number(position) };
}

/** Returns `failed` for an unknown state, which another version of this package may have written. */
function toRunState(text: string | undefined): RunState {
  return RUN_STATES.find((state) => state === text) ?? 'failed';
}

function toRunError(json: string | undefined): RunError | undefined {
  if (json === undefined) return undefined;
  const { name, message }: Record<string, unknown> = JSON.parse(json);
  return { name: String(name), message: String(message) };
}

function toCursor({ score, member }: IndexPlace): string {
  return `${score}-${member}`;
}

/** @throws ScalekitWebhooksConfigurationError when the text is not a cursor */
function parseCursor(cursor: string): IndexPlace {
  const [, score, member] = /^(\d{1,17})-(.+)$/.exec(cursor) ?? [];
  if (score === undefined || member === undefined) {
    throw new ScalekitWebhooksConfigurationError('cursor', MESSAGES.cursorInvalid(cursor));
  }
  return { score: Number(score), member };
}
