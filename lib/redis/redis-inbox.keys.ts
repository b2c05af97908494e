import { createHash } from 'node:crypto';
import type { InboxKey, RunState } from '../inbox/inbox-queries.js';

/** The states that have an index. `done` has none, because nearly every entry ends there. */
export const INDEXED_STATES = ['running', 'queued', 'failed', 'dead'] as const satisfies RunState[];

/** A sorted set of the events in a bucket, by the time of receipt. */
export type RedisIndex = 'received' | (typeof INDEXED_STATES)[number];

/** The keys of a bucket, in the order in which every script expects them. The keys of an event follow. */
const BUCKET_KEYS = ['received', 'expires', ...INDEXED_STATES, 'facets', 'labels'] as const;

const BUCKET_COUNT = 16;

export const BUCKETS: readonly number[] = Array.from({ length: BUCKET_COUNT }, (_, number) => number);

/**
 * The names of the keys. The events of an application are distributed over buckets. Application and bucket are the hash tag
 * of a cluster, so that an event and the indexes that list it are in the same slot, and a script can write them atomically.
 */
export class RedisInboxKeys {
  constructor(
    private readonly prefix: string,
    private readonly application: string,
  ) {}

  ofBucket(bucket: number): string[] {
    return BUCKET_KEYS.map((name) => this.#name(bucket, name));
  }

  /** The keys of the event's bucket, then those of the event. */
  ofEvent(key: InboxKey): string[] {
    const member = memberOf(key);
    const bucket = bucketOf(member);
    const ofEvent = [`event:${member}`, `payload:${member}`].map((name) => this.#name(bucket, name));
    return [...this.ofBucket(bucket), ...ofEvent];
  }

  event(key: InboxKey): string {
    const member = memberOf(key);
    return this.#name(bucketOf(member), `event:${member}`);
  }

  payload(key: InboxKey): string {
    const member = memberOf(key);
    return this.#name(bucketOf(member), `payload:${member}`);
  }

  /** Which run of a handler has an entity. It has a slot of its own, because its events are in several buckets. */
  entity(name: string): string {
    return `${this.prefix}:{${this.application}:${name}}:entity`;
  }

  /** The key of no event, for the ping. */
  get probe(): string {
    return this.#name(0, 'probe');
  }

  /** How far the recovery of an endpoint has come. It is in a slot of its own. */
  recovery(endpoint: string): string {
    return `${this.prefix}:{${this.application}:recovery:${escapeId(endpoint)}}`;
  }

  #name(bucket: number, name: string): string {
    return `${this.prefix}:{${this.application}:${bucket}}:${name}`;
  }
}

/** The position of an index in a script's KEYS, which Lua counts from 1. */
export function positionOfIndex(index: RedisIndex): number {
  return BUCKET_KEYS.indexOf(index) + 1;
}

/** The name of an event in the indexes: unique, ASCII, and without braces. */
export function memberOf({ endpoint, eventId }: InboxKey): string {
  return `${escapeId(endpoint)}:${escapeId(eventId)}`;
}

/** Reverses {@link memberOf}. */
export function keyOfMember(member: string): InboxKey {
  const [endpoint = '', eventId = ''] = member.split(':');
  return { endpoint: unescapeId(endpoint), eventId: unescapeId(eventId) };
}

function bucketOf(member: string): number {
  return createHash('sha1').update(member).digest().readUInt8() % BUCKET_COUNT;
}

/** Escapes UTF-16 code units: an id from JSON can contain a lone surrogate, which UTF-8 would lose. */
function escapeId(id: string): string {
  return id.replace(/[^\w.-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function unescapeId(escaped: string): string {
  return escaped.replace(/%(.{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
