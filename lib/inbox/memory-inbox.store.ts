import { LeaseLostError } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  integerUpTo,
  type OptionChecks,
  optional,
  refuseSetting,
  requireFunction,
  requireRetentionMs,
} from '../errors/settings.js';
import { positionOf } from './inbox-queries.js';
import {
  DEFAULT_PAGE_SIZE,
  type InboxEntry,
  type InboxEvent,
  type InboxFilter,
  type InboxKey,
  type InboxLease,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  type InboxStore,
  type InboxTransaction,
  type RunClaim,
  type RunSettlement,
} from './inbox-store.js';
import { EventQueue, hasRunInProgress, type StoredEvent, toEntry } from './memory-events.js';
import { RunCounter } from './run-counts.js';
import { claimRun, completeRun, dismissRun, type RunRecord, reopenRun, settleRun } from './run-states.js';

/** Options of {@link MemoryInboxStore}. */
export interface MemoryInboxOptions {
  /**
   * How many events to remember, at most 10,000,000. When there are more, the store forgets the oldest.
   * @default 100000
   */
  maxEvents?: number;
  /**
   * How long to remember an event, in milliseconds. Remember events for longer than Scalekit retries them: 28 hours.
   * @default 172800000 (48 hours)
   */
  retentionMs?: number;
  /**
   * How `delivery.transaction` opens a transaction on your own database, for handlers that use one in development and in
   * tests. The run is recorded after it, not in it.
   *
   * @example (work) => dataSource.transaction(work)
   * @default no transaction: handlers that use theirs fail
   */
  transaction?: TransactionOpener;
}

// A Map does not hold many more.
const MOST_EVENTS = 10_000_000;

const CHECKS: OptionChecks<MemoryInboxOptions> = {
  maxEvents: optional(integerUpTo(MOST_EVENTS)),
  retentionMs: optional(requireRetentionMs),
  transaction: optional(requireFunction),
};

// A claim checks only a few of the events that are held back, so that many of them do not slow it down.
const HELD_BACK_CHECKS = 4;

/**
 * An inbox in the memory of one process. It needs no set-up, keeps no payloads, and forgets everything at a restart.
 * 100,000 events take about 50 MB; to remember more events, use a durable inbox such as `SqliteInboxStore`.
 *
 * An event with a run in progress is never forgotten, even if that exceeds `maxEvents` or `retentionMs`.
 *
 * `delivery.transaction` and `delivery.complete` work, so that handlers run unchanged in development and in tests. But
 * memory is not part of any transaction: if the process dies between your commit and the record, a retry repeats the
 * changes.
 */
export class MemoryInboxStore implements InboxStore {
  /** By endpoint, then by event id. */
  readonly #events = new Map<string, Map<string, StoredEvent>>();
  /** In the order in which they were received. */
  readonly #received = new EventQueue();
  /** Due to be forgotten, but with a run in progress when their turn came. They are older than `#received`. */
  readonly #heldBack = new EventQueue();
  readonly #options: Required<MemoryInboxOptions>;
  #size = 0;
  #lastPosition = 0;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: MemoryInboxOptions = {}) {
    const {
      maxEvents = 100_000,
      retentionMs = 48 * 60 * 60 * 1000,
      transaction = withoutDatabase,
    } = checkOptions(options, CHECKS);
    this.#options = { maxEvents, retentionMs, transaction };
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const now = Date.now();
    this.#forget(({ receivedAt }) => receivedAt < now - this.#options.retentionMs, now);
    const stored = this.#find(event) ?? this.#remember(event, now);
    const claims = new Map<string, RunClaim>();
    for (const handlerId of handlerIds) {
      const known = stored.runs.find((run) => run.handlerId === handlerId);
      const { claim, run } = claimRun(known?.record, lease, now);
      claims.set(handlerId, claim);
      if (run && known) known.record = run;
      else if (run) stored.runs = stored.runs.concat({ handlerId, record: run });
    }
    return claims;
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const runs = this.#find(key)?.runs ?? [];
    const written: string[] = [];
    for (const settlement of settlements) {
      const run = runs.find(({ handlerId }) => handlerId === settlement.handlerId);
      const settled = settleRun(run && unsettled(run.record), settlement, lease, Date.now());
      if (!run || !settled) continue;
      run.record = settled;
      written.push(run.handlerId);
    }
    return written;
  }

  /**
   * Records a run as done. Since memory is not part of the transaction, a handler that fails afterwards runs again.
   *
   * @param transaction any client or connection; the store does not use it
   * @throws LeaseLostError when the run lost its lease; roll back
   * @throws ScalekitWebhooksConfigurationError when `transaction` is not an object
   */
  async complete(
    transaction: InboxTransaction,
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
  ): Promise<void> {
    if (typeof transaction !== 'object' || transaction === null) {
      refuseSetting('transaction', MESSAGES.notATransaction(transaction));
    }
    this.#complete(key, handlerId, lease);
  }

  /**
   * Runs the work, in a transaction if the option `transaction` opens one, and then records the run as done.
   *
   * @throws LeaseLostError when the run lost its lease
   */
  async transaction<Tx, Result>(
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
    work: (tx: Tx) => Promise<Result>,
  ): Promise<Result> {
    // The handler says what type its transactions have.
    const result = await this.#options.transaction((tx) => work(tx as Tx));
    this.#complete(key, handlerId, lease);
    return result;
  }

  /** Always undefined, since this store keeps no payloads. */
  async payload(): Promise<undefined> {}

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const reopened: string[] = [];
    for (const run of this.#find(key)?.runs ?? []) {
      const asked = handlerIds?.includes(run.handlerId) ?? false;
      const record = handlerIds && !asked ? undefined : reopenRun(run.record, asked, Date.now());
      if (!record) continue;
      run.record = record;
      reopened.push(run.handlerId);
    }
    return reopened;
  }

  async dismiss(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const dismissed: string[] = [];
    for (const run of this.#find(key)?.runs ?? []) {
      const record = dismissRun(run.record, Date.now());
      if (!record || handlerIds?.includes(run.handlerId) === false) continue;
      run.record = record;
      dismissed.push(run.handlerId);
    }
    return dismissed;
  }

  async stats(endpoint?: string): Promise<readonly InboxRunCount[]> {
    const counter = new RunCounter();
    for (const event of this.#matching({ endpoint })) counter.add(toEntry(event));
    return counter.counts;
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const stored = this.#find(key);
    return stored && toEntry(stored);
  }

  async list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    const { limit = DEFAULT_PAGE_SIZE, cursor = '0' } = page;
    const after = positionOf(cursor);
    const found: StoredEvent[] = [];
    for (const event of this.#matching(filter)) {
      if (event.position > after) found.push(event);
      if (found.length > limit) break;
    }
    const last = found.length > limit ? found[limit - 1] : undefined;
    return {
      entries: found.slice(0, limit).map(toEntry),
      ...(last && { nextCursor: String(last.position) }),
    };
  }

  async count(filter: InboxFilter = {}): Promise<number> {
    return [...this.#matching(filter)].length;
  }

  async prune(before: Date): Promise<number> {
    const size = this.#size;
    this.#forget(({ receivedAt }) => receivedAt < before.getTime(), Date.now(), size);
    return size - this.#size;
  }

  async ping(): Promise<void> {}
  async close(): Promise<void> {}

  #complete(key: InboxKey, handlerId: string, lease: InboxLease): void {
    const run = this.#find(key)?.runs.find((known) => known.handlerId === handlerId);
    const completed = completeRun(run?.record, lease, Date.now());
    if (!run || !completed) throw new LeaseLostError(key.eventId, handlerId);
    run.record = completed;
  }

  #find({ endpoint, eventId }: InboxKey): StoredEvent | undefined {
    return this.#events.get(endpoint)?.get(eventId);
  }

  #remember({ endpoint, eventId, type, occurredAt }: InboxEvent, now: number): StoredEvent {
    this.#forget(() => this.#size >= this.#options.maxEvents, now);
    this.#lastPosition += 1;
    const stored: StoredEvent = {
      endpoint,
      eventId,
      type,
      occurredAt,
      receivedAt: now,
      position: this.#lastPosition,
      runs: [],
      next: undefined,
    };
    const ofEndpoint = this.#events.get(endpoint) ?? new Map<string, StoredEvent>();
    this.#events.set(endpoint, ofEndpoint.set(eventId, stored));
    this.#received.append(stored);
    this.#size += 1;
    return stored;
  }

  /** Forgets the oldest events while they are due, but none with a run in progress. */
  #forget(isDue: (event: StoredEvent) => boolean, now: number, checksLeft = HELD_BACK_CHECKS): void {
    for (let event = this.#heldBack.first; event && checksLeft > 0; event = this.#heldBack.first) {
      this.#heldBack.removeFirst();
      if (isDue(event) && !hasRunInProgress(event, now)) this.#delete(event);
      else {
        this.#heldBack.append(event);
        checksLeft -= 1;
      }
    }
    for (let event = this.#received.first; event && isDue(event); event = this.#received.first) {
      this.#received.removeFirst();
      if (hasRunInProgress(event, now)) this.#heldBack.append(event);
      else this.#delete(event);
    }
  }

  #delete({ endpoint, eventId }: StoredEvent): void {
    this.#events.get(endpoint)?.delete(eventId);
    this.#size -= 1;
  }

  *#matching({ endpoint, type, state }: InboxFilter): Generator<StoredEvent, void> {
    const heldBack = [...this.#heldBack].sort((a, b) => a.position - b.position);
    for (const event of [...heldBack, ...this.#received]) {
      if (endpoint !== undefined && event.endpoint !== endpoint) continue;
      if (type !== undefined && event.type !== type) continue;
      if (state === undefined || event.runs.some(({ record }) => record.state === state)) yield event;
    }
  }
}

/** The run as `complete` found it: only a run that is not settled yet has a lease that ends. */
function unsettled(run: RunRecord): RunRecord {
  return run.state === 'done' && run.leaseEndsAt !== undefined ? { ...run, state: 'running' } : run;
}

/** Opens a transaction in the application's own database, and passes it to `work`. */
type TransactionOpener = <Result>(work: (tx: unknown) => Promise<Result>) => Promise<Result>;

/** Error texts: what happened, then what to do. */
const MESSAGES = {
  notATransaction: (found: unknown) =>
    `transaction must be the client or connection that holds your transaction; found ${describeValue(found)}.`,
  noDatabase:
    'A handler used the transaction that delivery.transaction() gave it, but MemoryInboxStore has no database. Let it open your own: new MemoryInboxStore({ transaction: (work) => dataSource.transaction(work) }).',
} as const;

/** Runs the work without a transaction. What it gets in its place says so when it is used. */
const withoutDatabase: TransactionOpener = (work) =>
  work(new Proxy({}, { get: () => refuseSetting('transaction', MESSAGES.noDatabase) }));
