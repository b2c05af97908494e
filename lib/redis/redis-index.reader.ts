import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import type { InboxKey } from '../inbox/inbox-entry.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { RedisInboxConnection } from './redis-inbox.connection.js';
import {
  BUCKETS,
  keyOfMember,
  positionOfIndex,
  type RedisInboxKeys,
  type RedisIndex,
} from './redis-inbox.keys.js';
import { READ_INDEX } from './redis-inbox.scripts.js';

/** An event's place in the order of receipt. */
export interface IndexPlace {
  readonly member: string;
  /** When the event was received, in µs. */
  readonly score: number;
}

/** An event that an index lists. */
export interface ListedEvent extends IndexPlace {
  readonly key: InboxKey;
}

const START: IndexPlace = { member: '', score: -Infinity };

/** Reads the indexes of all buckets as one, in the order of receipt. */
export class RedisIndexReader {
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
export function toCursor({ score, member }: IndexPlace): string {
  return `${score}-${member}`;
}

/** @throws ScalekitWebhooksConfigurationError when the text is no cursor */
export function parseCursor(cursor: string): IndexPlace {
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
