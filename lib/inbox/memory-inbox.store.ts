import { requirePositiveInteger } from '../errors/settings.js';
import { NO_SLOT } from './byte-records.js';
import { EventRecords } from './event-records.js';
import { EventRows, type LedgerRows } from './event-rows.js';
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
} from './inbox-store.js';
import { DEFAULT_PAGE_SIZE } from './inbox-store.js';
import { keyHash } from './key-hash.js';
import { ReceiptQueue } from './receipt-queue.js';
import { claimRun, reopenRun, settleRun } from './run-states.js';

/** Bounds of a {@link MemoryInboxStore}. */
export interface MemoryInboxOptions {
  /**
   * How many events are remembered; beyond that the oldest are forgotten.
   * @default 100000
   */
  maxEvents?: number;
  /**
   * How long an event is remembered, in ms. The default outlasts Scalekit's longest retry schedule of 28 hours.
   * @default 172800000 (48 hours)
   */
  retentionMs?: number;
}

const DEFAULT_MAX_EVENTS = 100_000;
const DEFAULT_RETENTION_MS = 48 * 60 * 60 * 1000;

/**
 * The inbox of one process: fast, with nothing to install, and forgotten at a restart. It keeps no payloads.
 * Events with a run in progress are never forgotten, whatever the bounds.
 *
 * An event whose handlers are done takes about 150 bytes, in array buffers rather than on the heap. What the most events
 * so far have taken is kept for those to come.
 */
export class MemoryInboxStore implements InboxStore {
  readonly #events = new EventRecords();
  readonly #rows = new EventRows(this.#events);
  readonly #queue = new ReceiptQueue(this.#events, this.#rows);
  readonly #maxEvents: number;
  readonly #retentionMs: number;

  /** @throws ScalekitWebhooksConfigurationError when a bound is not a positive whole number */
  constructor({
    maxEvents = DEFAULT_MAX_EVENTS,
    retentionMs = DEFAULT_RETENTION_MS,
  }: MemoryInboxOptions = {}) {
    for (const [setting, value] of Object.entries({ maxEvents, retentionMs })) {
      requirePositiveInteger(setting, value);
    }
    this.#maxEvents = maxEvents;
    this.#retentionMs = retentionMs;
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const hash = keyHash(event);
    if (this.#events.size >= this.#maxEvents) this.#queue.readAhead(hash);
    const now = Date.now();
    const before = now - this.#retentionMs;
    this.#queue.forget({ before, atMost: Infinity }, now);
    const known = this.#events.find(event, hash);
    if (known === NO_SLOT) this.#queue.forget({ before, atMost: this.#maxEvents - 1 }, now);
    const slot = known === NO_SLOT ? this.#record(event, hash, now) : known;
    const rows = this.#rows.of(slot);
    const claims = new Map<string, RunClaim>();
    let isChanged = false;
    for (const handlerId of handlerIds) {
      const { row, claim } = claimRun(rows.get(handlerId), lease, now);
      if (row) rows.set(handlerId, row);
      isChanged ||= row !== undefined;
      claims.set(handlerId, claim);
    }
    if (isChanged) this.#rows.keep(slot, rows);
    return claims;
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const now = Date.now();
    return this.#update(key, (rows) => {
      const written: string[] = [];
      for (const settlement of settlements) {
        const row = settleRun(rows.get(settlement.handlerId), settlement, lease, now);
        if (!row) continue;
        rows.set(settlement.handlerId, row);
        written.push(settlement.handlerId);
      }
      return written;
    });
  }

  /** Always undefined: what is kept in memory is the ledger alone. */
  async payload(): Promise<undefined> {
    return undefined;
  }

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const now = Date.now();
    return this.#update(key, (rows) =>
      [...rows].flatMap(([handlerId, row]) => {
        const asked = handlerIds?.includes(handlerId) ?? false;
        const reopened = handlerIds && !asked ? undefined : reopenRun(row, asked, now);
        if (!reopened) return [];
        rows.set(handlerId, reopened);
        return [handlerId];
      }),
    );
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const slot = this.#events.find(key);
    return slot === NO_SLOT ? undefined : this.#read(slot);
  }

  async list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    const limit = page.limit ?? DEFAULT_PAGE_SIZE;
    const after = Number(page.cursor ?? 0);
    const slots: number[] = [];
    for (const slot of this.#matching(filter)) {
      if (this.#events.number.get(slot) > after) slots.push(slot);
      if (slots.length > limit) break;
    }
    const listed = slots.slice(0, limit);
    const last = slots.length > limit ? listed.at(-1) : undefined;
    return {
      entries: listed.map((slot) => this.#read(slot)),
      ...(last && { nextCursor: String(this.#events.number.get(last)) }),
    };
  }

  async count(filter: InboxFilter = {}): Promise<number> {
    let count = 0;
    for (const _ of this.#matching(filter)) count += 1;
    return count;
  }

  async prune(before: Date): Promise<number> {
    const size = this.#events.size;
    this.#queue.forgetAll({ before: before.getTime(), atMost: Infinity }, Date.now());
    return size - this.#events.size;
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {}

  #record(event: InboxEvent, hash: number, now: number): number {
    const slot = this.#events.add(event, hash, now);
    this.#queue.append(slot);
    return slot;
  }

  /** Changes rows of a known event; returns the ids of those that were. */
  #update(key: InboxKey, change: (rows: LedgerRows) => string[]): string[] {
    const slot = this.#events.find(key);
    if (slot === NO_SLOT) return [];
    const rows = this.#rows.of(slot);
    const changed = change(rows);
    if (changed.length > 0) this.#rows.keep(slot, rows);
    return changed;
  }

  *#matching({ endpoint, type, state }: InboxFilter): Generator<number, void> {
    for (const slot of this.#queue.all()) {
      if (!this.#events.matches(slot, { endpoint, type })) continue;
      if (state === undefined || this.#rows.hasState(slot, state)) yield slot;
    }
  }

  #read(slot: number): InboxEntry {
    const runs = [...this.#rows.of(slot)].map(([handlerId, { state, attempts, updatedAt, error }]) => ({
      handlerId,
      state,
      attempts,
      updatedAt: new Date(updatedAt),
      ...(error && { error }),
    }));
    return { ...this.#events.read(slot), runs };
  }
}
