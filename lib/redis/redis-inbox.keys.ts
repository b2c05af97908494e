import { createHash } from 'node:crypto';
import type { InboxKey, RunState } from '../inbox/inbox-store.js';

/** The states with an index of their own. Nearly every entry ends as `done`, so that has none. */
export const INDEXED_STATES = ['running', 'queued', 'failed', 'dead'] as const satisfies RunState[];

/** A sorted set over a bucket's events, by the time of receipt. */
export type RedisIndex = 'received' | (typeof INDEXED_STATES)[number];

/** The order in which every script expects the keys of a bucket; those of one event follow. */
const BUCKET_KEYS = ['received', 'expires', ...INDEXED_STATES] as const;

const BUCKET_COUNT = 16;

/** The buckets among which events are spread. */
export const BUCKETS: readonly number[] = Array.from({ length: BUCKET_COUNT }, (_, number) => number);

/** The position of an index among a script's keys, counted from 1 as Lua does. */
export function positionOfIndex(index: RedisIndex): number {
  return BUCKET_KEYS.indexOf(index) + 1;
}

/**
 * The names of the keys. Events are spread over buckets, and a bucket is a cluster's hash tag: an event and the
 * indexes that list it are in one slot, so that one script writes them all or none.
 */
export class RedisInboxKeys {
  constructor(private readonly prefix: string) {}

  ofBucket(bucket: number): string[] {
    return BUCKET_KEYS.map((name) => this.#name(bucket, name));
  }

  /** Those of the event's bucket, then the event's own. */
  ofEvent(key: InboxKey): string[] {
    return [...this.ofBucket(bucketOf(key)), this.event(key), this.payload(key)];
  }

  event(key: InboxKey): string {
    return this.#name(bucketOf(key), `event:${memberOf(key)}`);
  }

  payload(key: InboxKey): string {
    return this.#name(bucketOf(key), `payload:${memberOf(key)}`);
  }

  #name(bucket: number, name: string): string {
    return `${this.prefix}:{${bucket}}:${name}`;
  }
}

/** An event as its bucket's indexes name it: ASCII, without braces, and never the same for two events. */
export function memberOf({ endpoint, eventId }: InboxKey): string {
  return `${escapeId(endpoint)}:${escapeId(eventId)}`;
}

/** The event that an index names. */
export function keyOfMember(member: string): InboxKey {
  const [endpoint = '', eventId = ''] = member.split(':');
  return { endpoint: unescapeId(endpoint), eventId: unescapeId(eventId) };
}

function bucketOf(key: InboxKey): number {
  return createHash('sha1').update(memberOf(key)).digest().readUInt8() % BUCKET_COUNT;
}

/** Works on UTF-16 code units: an id out of JSON may hold a lone surrogate, which UTF-8 would lose. */
function escapeId(id: string): string {
  return id.replace(/[^\w.-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function unescapeId(escaped: string): string {
  return escaped.replace(/%(.{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
