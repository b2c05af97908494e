import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import { claimRow, isRunning, type LedgerRow, reopenRow, settleRow } from './claim.rules.js';
import type { InboxEntry, InboxEvent, InboxKey } from './inbox-entry.js';
import type {
  HandlerClaim,
  HandlerSettlement,
  InboxFilter,
  InboxLease,
  InboxPage,
  InboxPageRequest,
  InboxStore,
} from './inbox-store.js';

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
  maxAgeMs?: number;
}

interface MemoryEntry extends InboxKey {
  /** Its place in the order of receipt, which stays the same when others are forgotten. */
  readonly number: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly receivedAt: number;
  readonly rows: Map<string, LedgerRow>;
}

const DEFAULT_MAX_EVENTS = 100_000;
const DEFAULT_MAX_AGE_MS = 48 * 60 * 60 * 1000;
const DEFAULT_PAGE_SIZE = 50;

/**
 * The inbox of one process: fast, with nothing to install, and forgotten at a restart. It keeps no payloads.
 * Events with a run in progress are never forgotten, whatever the bounds.
 */
export class MemoryInboxStore implements InboxStore {
  readonly #entries = new Map<string, MemoryEntry>();
  #recorded = 0;
  readonly #maxEvents: number;
  readonly #maxAgeMs: number;

  /** @throws ScalekitWebhooksConfigurationError when a bound is not a positive whole number */
  constructor({ maxEvents = DEFAULT_MAX_EVENTS, maxAgeMs = DEFAULT_MAX_AGE_MS }: MemoryInboxOptions = {}) {
    for (const [setting, value] of Object.entries({ maxEvents, maxAgeMs })) {
      if (!Number.isSafeInteger(value) || value <= 0) {
        throw new ScalekitWebhooksConfigurationError(setting, MESSAGES.notAPositiveInteger(setting, value));
      }
    }
    this.#maxEvents = maxEvents;
    this.#maxAgeMs = maxAgeMs;
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, HandlerClaim>> {
    const now = Date.now();
    this.#forget(now - this.#maxAgeMs);
    const { rows } = this.#find(event) ?? this.#record(event, now);
    const claims = new Map<string, HandlerClaim>();
    for (const handlerId of handlerIds) {
      const { row, claim } = claimRow(rows.get(handlerId), lease, now);
      if (row) rows.set(handlerId, row);
      claims.set(handlerId, claim);
    }
    return claims;
  }

  async settle(
    key: InboxKey,
    settlements: readonly HandlerSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const rows = this.#find(key)?.rows;
    if (!rows) return [];
    const now = Date.now();
    return settlements.flatMap((settlement) => {
      const row = settleRow(rows.get(settlement.handlerId), settlement, lease, now);
      if (!row) return [];
      rows.set(settlement.handlerId, row);
      return [settlement.handlerId];
    });
  }

  /** Always undefined: what is kept in memory is the ledger alone. */
  async payload(): Promise<undefined> {
    return undefined;
  }

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const rows = this.#find(key)?.rows ?? new Map<string, LedgerRow>();
    const now = Date.now();
    return [...rows].flatMap(([handlerId, row]) => {
      const asked = handlerIds?.includes(handlerId) ?? false;
      const reopened = handlerIds && !asked ? undefined : reopenRow(row, asked, now);
      if (!reopened) return [];
      rows.set(handlerId, reopened);
      return [handlerId];
    });
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const entry = this.#find(key);
    return entry && toInboxEntry(entry);
  }

  async list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    const limit = page.limit ?? DEFAULT_PAGE_SIZE;
    const after = Number(page.cursor ?? 0);
    const matching = this.#matching(filter).filter(({ number }) => number > after);
    const entries = matching.slice(0, limit);
    const last = matching.length > limit ? entries.at(-1) : undefined;
    return { entries: entries.map(toInboxEntry), ...(last && { nextCursor: String(last.number) }) };
  }

  async count(filter: InboxFilter = {}): Promise<number> {
    return this.#matching(filter).length;
  }

  async prune(before: Date): Promise<number> {
    const size = this.#entries.size;
    this.#forget(before.getTime());
    return size - this.#entries.size;
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {}

  #find(key: InboxKey): MemoryEntry | undefined {
    return this.#entries.get(entryKey(key));
  }

  #record({ endpoint, eventId, type, occurredAt }: InboxEvent, now: number): MemoryEntry {
    this.#makeRoom(now);
    this.#recorded += 1;
    const entry = {
      number: this.#recorded,
      endpoint,
      eventId,
      type,
      occurredAt,
      receivedAt: now,
      rows: new Map<string, LedgerRow>(),
    };
    this.#entries.set(entryKey(entry), entry);
    return entry;
  }

  #makeRoom(now: number): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size < this.#maxEvents) return;
      if (!hasRun(entry, now)) this.#entries.delete(key);
    }
  }

  #forget(before: number): void {
    const now = Date.now();
    for (const [key, entry] of this.#entries) {
      if (entry.receivedAt >= before) return;
      if (!hasRun(entry, now)) this.#entries.delete(key);
    }
  }

  #matching({ endpoint, type, state }: InboxFilter): MemoryEntry[] {
    return [...this.#entries.values()].filter(
      (entry) =>
        (endpoint === undefined || entry.endpoint === endpoint) &&
        (type === undefined || entry.type === type) &&
        (state === undefined || [...entry.rows.values()].some((row) => row.state === state)),
    );
  }
}

function entryKey({ endpoint, eventId }: InboxKey): string {
  return `${endpoint.length}:${endpoint}${eventId}`;
}

function hasRun(entry: MemoryEntry, now: number): boolean {
  return [...entry.rows.values()].some((row) => isRunning(row, now));
}

function toInboxEntry({ rows, receivedAt, endpoint, eventId, type, occurredAt }: MemoryEntry): InboxEntry {
  const handlers = [...rows].map(([handlerId, { state, attempts, updatedAt, error }]) => ({
    handlerId,
    state,
    attempts,
    updatedAt: new Date(updatedAt),
    ...(error && { error }),
  }));
  return { endpoint, eventId, type, occurredAt, receivedAt: new Date(receivedAt), handlers };
}
