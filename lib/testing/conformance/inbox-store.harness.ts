import { randomUUID } from 'node:crypto';
import { objectWith } from '../../errors/settings.js';
import type { PayloadOptions } from '../../inbox/inbox-options.js';
import {
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
} from '../../inbox/inbox-queries.js';
import type {
  InboxEvent,
  InboxLease,
  InboxStore,
  InboxTransaction,
  RunClaim,
} from '../../inbox/inbox-store.js';
import { INBOX_METHODS } from '../../inbox/inbox-work.js';

/** What the suite needs from a test runner. Jest and Vitest provide it. With other runners, use the `expect` package. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  beforeEach(body: () => Promise<void>): unknown;
  afterEach(body: () => Promise<void>): unknown;
  readonly expect: ConformanceExpect;
}

/** The part of Jest's `expect` that the suite uses. */
export interface ConformanceExpect {
  (actual: unknown): ConformanceMatchers;
  any(type: typeof Number | typeof Date): unknown;
}

/** The matchers that the suite uses. */
export interface ConformanceMatchers {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toMatchObject(expected: object): void;
  toContain(expected: unknown): void;
  toHaveLength(length: number): void;
  toBeDefined(): void;
  toBeUndefined(): void;
  toBeGreaterThan(limit: number): void;
  toBeLessThanOrEqual(limit: number): void;
  readonly not: Pick<ConformanceMatchers, 'toContain'>;
  readonly resolves: { toBeUndefined(): Promise<void> };
}

/** A store to test, empty at first, and its clock. */
export interface InboxStoreHarness {
  readonly store: InboxStore;
  /** Lets at least this much time pass for the store, in milliseconds. */
  advance(ms: number): Promise<void>;
  /** Opens a transaction in the store's database, for stores that have `complete`. Without it, `complete` is not tested. */
  begin?(): Promise<OpenTransaction>;
  /**
   * Opens another store on the same data, with options about payloads, for stores that have them. `store` is without these
   * options. Without it, encryption is not tested.
   */
  openWith?(options: PayloadOptions): InboxStore;
  /** Whether the store drops an event's payload once all of its runs are done. By default, it keeps it. */
  readonly dropsPayloads?: boolean;
  /** Cleans up after the test. The suite closes the store first. */
  dispose?(): Promise<void>;
}

/** A transaction that is open until the suite ends it. */
export interface OpenTransaction {
  readonly transaction: InboxTransaction;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export const LEASE_MS = 10_000;
export const FAILURE = { name: 'TypeError', message: 'tenant is undefined' };

export function anEvent(changes: Partial<InboxEvent> = {}): InboxEvent {
  return {
    endpoint: 'default',
    eventId: `evt_${randomUUID()}`,
    type: 'user.created',
    occurredAt: '2026-01-02T03:04:05.678901Z',
    payload: Buffer.from('{"secret":"payload-marker"}'),
    ...changes,
  };
}

export function aLease(changes: Partial<InboxLease> = {}): InboxLease {
  return { token: randomUUID(), durationMs: LEASE_MS, ...changes };
}

/** The store under test, and what many tests do with it. */
export class ConformanceHarness {
  #harness?: InboxStoreHarness;

  constructor(private readonly makeHarness: () => Promise<InboxStoreHarness>) {}

  async open(): Promise<void> {
    const harness = await this.makeHarness();
    objectWith('advance')('harness', harness);
    objectWith(...INBOX_METHODS)('harness.store', harness.store);
    this.#harness = harness;
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.#opened.dispose?.();
  }

  get store(): InboxStore {
    return this.#opened.store;
  }

  advance(ms: number): Promise<void> {
    return this.#opened.advance(ms);
  }

  get dropsPayloads(): boolean {
    return this.#opened.dropsPayloads ?? false;
  }

  begin(): Promise<OpenTransaction> | undefined {
    return this.#opened.begin?.();
  }

  get canOpenWith(): boolean {
    return this.#opened.openWith !== undefined;
  }

  openWith(options: PayloadOptions = {}): InboxStore {
    return this.#opened.openWith?.(options) ?? this.store;
  }

  async claim(
    event: InboxEvent,
    lease = aLease(),
    handlerIds: readonly string[] = ['A.run'],
  ): Promise<Record<string, RunClaim>> {
    return Object.fromEntries(await this.store.claim(event, handlerIds, lease));
  }

  /** Claims the run of one handler, and settles it with the given state. */
  async record(event: InboxEvent, state: 'done' | 'dead' | 'queued' | 'failed'): Promise<void> {
    const lease = aLease();
    await this.claim(event, lease);
    const error = state === 'failed' || state === 'dead' ? { error: FAILURE } : {};
    await this.store.settle(event, [{ handlerId: 'A.run', state, ...error }], lease);
  }

  async entryOf(key: InboxKey): Promise<InboxEntry> {
    const entry = await this.store.get(key);
    if (!entry) throw new Error(`The store has no entry for ${key.eventId}.`);
    return entry;
  }

  /** Records new events that are done, and returns their ids. */
  async addEvents(count: number, changes: Partial<InboxEvent> = {}): Promise<string[]> {
    const ids: string[] = [];
    for (let number = 0; number < count; number += 1) {
      const event = anEvent(changes);
      await this.record(event, 'done');
      ids.push(event.eventId);
    }
    return ids;
  }

  /** The event ids on a page and on all pages after it. */
  async pagesFrom(first: InboxPage, limit: number, filter?: InboxFilter): Promise<string[]> {
    const ids = first.entries.map(({ eventId }) => eventId);
    let cursor = first.nextCursor;
    while (cursor !== undefined) {
      const page = await this.store.list(filter, { limit, cursor });
      ids.push(...page.entries.map(({ eventId }) => eventId));
      if (ids.length > 1000) throw new Error('The store returns pages without end.');
      cursor = page.nextCursor;
    }
    return ids;
  }

  get #opened(): InboxStoreHarness {
    if (!this.#harness) throw new Error('The store is not open.');
    return this.#harness;
  }
}
