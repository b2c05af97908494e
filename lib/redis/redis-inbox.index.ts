import { createHash } from 'node:crypto';
import { foldCase, type InboxKey } from '../inbox/inbox-queries.js';
import { type RedisInboxConnection, RedisScript } from './redis-inbox.connection.js';
import {
  BUCKETS,
  INDEXED_STATES,
  keyOfMember,
  positionOfIndex,
  type RedisInboxKeys,
  type RedisIndex,
} from './redis-inbox.keys.js';

/**
 * What every script begins with. `facets` lists each event under several codes: a letter, and a digest of what a filter can
 * look for. A member of it is the code, the time of receipt in µs, and the event, so that the events of a code are in the
 * order of receipt. `labels` has the time and the codes of each event, so that an event can be removed from everywhere even
 * if Redis has evicted it. The errors of its runs follow, each on a line of its own, so that a search need not read the events.
 */
export const BUCKET = `
local RECEIVED, EXPIRES = KEYS[1], KEYS[2]
local STATES = { ${INDEXED_STATES.map((state) => `'${state}'`).join(', ')} }
local FACETS, LABELS = KEYS[3 + #STATES], KEYS[4 + #STATES]
local RECEIPT, CODE = 16, 17
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function codeOf(kind, value)
  return kind .. string.sub(redis.sha1hex(value), 1, CODE - 1)
end

-- The label of an event. Its errors are JSON.
local function labelOf(receipt, codes, errors)
  if #errors > 0 then codes[#codes + 1] = codeOf('x', '') end
  table.sort(codes)
  table.sort(errors)
  local label = receipt .. table.concat(codes)
  for _, failure in ipairs(errors) do
    local texts = string.gsub(string.lower(string.sub(failure, 10, -3)), '","message":"', '\\n', 1)
    label = label .. '\\n' .. texts
  end
  return label
end

-- Whether an event may have an error with this text. A label of an earlier version does not have the errors.
local function mayHaveError(label, text)
  local errors = label and string.find(label, '\\n', 1, true)
  return not errors or string.find(label, text, errors + 1, true)
end

-- The members of FACETS that list an event, each after what is to come before it.
local function facetsOf(member, label, ...)
  local facets, receipt = {}, string.sub(label, 1, RECEIPT)
  for first = RECEIPT + 1, #string.match(label, '^[^\\n]*'), CODE do
    for _, before in ipairs({ ... }) do facets[#facets + 1] = before end
    facets[#facets + 1] = string.sub(label, first, first + CODE - 1) .. receipt .. member
  end
  return facets
end

local function relabel(member, label)
  local known = redis.call('HGET', LABELS, member)
  if known == label then return end
  if known then redis.call('ZREM', FACETS, unpack(facetsOf(member, known))) end
  if label == '' then
    redis.call('HDEL', LABELS, member)
  else
    redis.call('ZADD', FACETS, unpack(facetsOf(member, label, 0)))
    redis.call('HSET', LABELS, member, label)
  end
end

local function unlist(members)
  for position = 1, 2 + #STATES do redis.call('ZREM', KEYS[position], unpack(members)) end
  for _, member in ipairs(members) do relabel(member, '') end
end

local function unlistExpired(most)
  local expired = redis.call('ZRANGEBYSCORE', EXPIRES, '-inf', '(' .. now, 'LIMIT', 0, most)
  if #expired > 0 then unlist(expired) end
  return #expired
end
`;

// How many events a search looks at before it returns, so that it does not keep Redis from anything else.
const SEARCHED_AT_ONCE = 1000;

/**
 * ARGV: the position of an index, or a code of `facets`; the bounds of the scores, or of what follows the code, as for
 * ZRANGEBYSCORE and ZRANGEBYLEX; limit; with a code, what an error of the events has to contain, or empty. Returns how many
 * events are within the bounds, 'more' if it may have stopped before the last of them, then members and scores. A search also
 * returns the last event that it looked at.
 */
const READ_INDEX = new RedisScript(`${BUCKET}
local index, first, last, limit, text = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local passes = 0
repeat passes = passes + 1 until unlistExpired(1000) < 1000 or passes == 10
if #index == CODE then
  local most = text == '' and limit or ${SEARCHED_AT_ONCE}
  local facets = redis.call('ZRANGEBYLEX', FACETS, first, last, 'LIMIT', 0, most)
  local members, labels, read = {}, {}, 0
  for position, facet in ipairs(facets) do members[position] = string.sub(facet, CODE + RECEIPT + 1) end
  local found = { tostring(redis.call('ZLEXCOUNT', FACETS, first, last)), '' }
  while read < #facets and #found < 2 + 2 * limit do
    if text ~= '' and read % 100 == 0 then
      labels = redis.call('HMGET', LABELS, unpack(members, read + 1, math.min(read + 100, #members)))
    end
    read = read + 1
    if text == '' or read == #facets or mayHaveError(labels[(read - 1) % 100 + 1], text) then
      found[#found + 1] = members[read]
      found[#found + 1] = string.sub(facets[read], CODE + 1, CODE + RECEIPT)
    end
  end
  if read < #facets or #facets == most then found[2] = 'more' end
  return found
end
local key = KEYS[tonumber(index)]
local most = limit + redis.call('ZCOUNT', key, first, first)
local found = redis.call('ZRANGEBYSCORE', key, first, last, 'WITHSCORES', 'LIMIT', 0, most)
table.insert(found, 1, #found == 2 * most and 'more' or '')
table.insert(found, 1, tostring(redis.call('ZCOUNT', key, first, last)))
return found
`);

/** What to read: one of the sorted sets, or the events that `facets` lists under a code. */
export type RedisListing = RedisIndex | RedisFacet;

interface RedisFacet {
  readonly code: string;
  /** What an error of the events has to contain, as `labels` has it. */
  readonly error?: string;
}

/** The code of something that a filter looks for, as the scripts compute it. */
export function facet(kind: string, value: string): RedisFacet {
  return { code: kind + createHash('sha1').update(value).digest('hex').slice(0, 16) };
}

/** The events that may have a run whose error has a text. Reading them shows whether they do. */
export function facetOfErrors(text: string): RedisFacet {
  return { ...facet('x', ''), error: JSON.stringify(foldCase(text)).slice(1, -1) };
}

/** When the events to read were received, in µs: from the first time on, and before the last one. */
export interface ReceivedWithin {
  readonly first: number;
  readonly last: number;
}

// Until the year 2255, times in µs have 16 digits.
export const ALWAYS: ReceivedWithin = { first: 0, last: Number.MAX_SAFE_INTEGER };

/** The place of an event in an index. */
export interface IndexPlace {
  readonly member: string;
  /** When the event was received, in µs. */
  readonly score: number;
}

export interface ListedEvent extends IndexPlace {
  readonly key: InboxKey;
  readonly bucket: number;
}

/** Reads an index of all buckets as if it were one, in the order of receipt. */
export class RedisIndexReader {
  constructor(
    private readonly connection: RedisInboxConnection,
    private readonly keys: RedisInboxKeys,
  ) {}

  /** How many events the index lists. */
  async size(listing: RedisListing, within = ALWAYS): Promise<number> {
    const replies = await Promise.all(
      BUCKETS.map((bucket) => this.#read(bucket, listing, within, undefined, 0)),
    );
    return replies.reduce((total, [size]) => total + Number(size), 0);
  }

  /** The events that the index lists after a place, in batches of `size` at most. */
  async *batches(
    listing: RedisListing,
    size: number,
    within = ALWAYS,
    after?: IndexPlace,
  ): AsyncGenerator<ListedEvent[]> {
    let last = after;
    for (let more = true; more; ) {
      const pages = await Promise.all(
        BUCKETS.map((bucket) => this.#page(bucket, listing, within, last, size)),
      );
      const unfinished = pages.flatMap(({ listed, hasMore }) => (hasMore ? (listed.at(-1) ?? []) : []));
      const [horizon] = unfinished.sort(byReceipt);
      const listed = pages.flatMap((page) => page.listed).sort(byReceipt);
      // Events after the horizon have to wait: an unfinished bucket may have events that come before them.
      const known = horizon ? listed.filter((event) => byReceipt(event, horizon) <= 0) : listed;
      for (let start = 0; start < known.length; start += size) yield known.slice(start, start + size);
      last = known.at(-1) ?? last;
      more = unfinished.length > 0;
    }
  }

  async #page(
    bucket: number,
    listing: RedisListing,
    within: ReceivedWithin,
    after: IndexPlace | undefined,
    limit: number,
  ): Promise<{ readonly listed: ListedEvent[]; readonly hasMore: boolean }> {
    const [, more, ...found] = await this.#read(bucket, listing, within, after, limit);
    const listed: ListedEvent[] = [];
    for (let position = 0; position < found.length; position += 2) {
      const [member = '', score] = found.slice(position, position + 2);
      listed.push({ member, score: Number(score), key: keyOfMember(member), bucket });
    }
    return {
      listed: after ? listed.filter((event) => byReceipt(event, after) > 0) : listed,
      hasMore: more === 'more',
    };
  }

  #read(
    bucket: number,
    listing: RedisListing,
    { first, last }: ReceivedWithin,
    after: IndexPlace | undefined,
    limit: number,
  ): Promise<string[]> {
    const from = Math.max(first, after?.score ?? first);
    const bounds =
      typeof listing === 'string'
        ? [String(positionOfIndex(listing)), String(from), `(${last}`]
        : [
            listing.code,
            `${after?.score === from ? '(' : '['}${listing.code}${toReceipt(from)}${after?.score === from ? after.member : ''}`,
            `(${listing.code}${toReceipt(last)}`,
          ];
    const error = typeof listing === 'string' ? '' : (listing.error ?? '');
    return this.connection.run(READ_INDEX, this.keys.ofBucket(bucket), [...bounds, String(limit), error]);
  }
}

/** A time as it is part of the members of `facets`. */
function toReceipt(micros: number): string {
  return String(micros).padStart(16, '0');
}

/** Orders by time and, within the same µs, by name, as Redis does. */
function byReceipt(one: IndexPlace, other: IndexPlace): number {
  if (one.score !== other.score) return one.score < other.score ? -1 : 1;
  if (one.member === other.member) return 0;
  return one.member < other.member ? -1 : 1;
}
