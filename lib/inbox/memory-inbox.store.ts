import { LeaseLostError } from '../errors/errors.js';
import { refuseSetting } from '../errors/settings.js';
import { type MemoryInboxOptions, notATransaction, resolveOptions } from './inbox-options.js';
import {
  DEFAULT_PAGE_SIZE,
  type InboxEntry,
  type InboxErasure,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  positionOf,
  RunCounter,
  type RunState,
} from './inbox-queries.js';
import {
  type Admission,
  type InboxEntity,
  type InboxEvent,
  type InboxLease,
  type InboxTransaction,
  type RunClaim,
  type RunSettlement,
} from './inbox-store.js';
import type { DueRequest, DueRuns, InboxWorkStore, OrderPlace } from './inbox-work.js';
import {
  eraseEvent,
  hasRunInProgress,
  hasWorkLeft,
  MemoryEntities,
  MemoryEvents,
  type StoredEvent,
  toEntry,
  unsettled,
} from './memory-events.js';
import { MemoryWork } from './memory-work.js';
import {
  claimRun,
  completeRun,
  dismissRun,
  enqueueRun,
  erasedRun,
  extendRun,
  reopenRun,
  settleRun,
} from './run-states.js';

/**
 * An inbox in the memory of one process. It needs no setup, keeps no payloads, and forgets everything at a restart.
 * 100,000 events take about 60 MB; to remember more events, use a durable inbox such as `SqliteInboxStore`.
 *
 * An event with a run in progress is never forgotten, even if that exceeds `maxEvents` or `retentionMs`. The same applies to
 * an event whose runs wait for a worker of `InboxTransport`. However, a restart loses all of them, although they were
 * acknowledged.
 *
 * `delivery.transaction` and `delivery.complete` work, so that handlers run unchanged in development and in tests.
 * However, memory is not part of any transaction: if the process dies between your commit and the record, a retry repeats the
 * changes.
 */
export class MemoryInboxStore implements InboxWorkStore {
  readonly #events = new MemoryEvents();
  readonly #work = new MemoryWork();
  readonly #entities: MemoryEntities;
  readonly #options: Required<MemoryInboxOptions>;

  /** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
  constructor(options: MemoryInboxOptions = {}) {
    this.#options = resolveOptions(options);
    this.#entities = new MemoryEntities(this.#options.maxEvents);
  }

  async claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>> {
    const now = Date.now();
    const stored = this.#record(event, now);
    const claims = new Map<string, RunClaim>();
    for (const handlerId of handlerIds) {
      const known = stored.runs.find((run) => run.handlerId === handlerId);
      const { claim, run } = claimRun(known?.record, lease, now);
      claims.set(handlerId, claim);
      if (run && known) known.record = run;
      else if (run) stored.runs = stored.runs.concat({ handlerId, record: run });
    }
    if (lease.retryInMs !== undefined) this.#work.add(stored, event);
    return claims;
  }

  async settle(
    key: InboxKey,
    settlements: readonly RunSettlement[],
    lease: InboxLease,
  ): Promise<readonly string[]> {
    const { runs = [], erasedAt } = this.#events.find(key) ?? {};
    const written: string[] = [];
    for (const settlement of settlements) {
      const run = runs.find(({ handlerId }) => handlerId === settlement.handlerId);
      const settled = settleRun(run && unsettled(run.record), settlement, lease, Date.now());
      if (!run || !settled) continue;
      run.record = erasedAt === undefined ? settled : erasedRun(settled);
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
      refuseSetting('transaction', notATransaction(transaction));
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

  async admit(key: InboxKey, handlerId: string, lease: InboxLease, entity: InboxEntity): Promise<Admission> {
    return this.#entities.admit(this.#events, key, handlerId, lease, entity);
  }

  /** Always undefined, since this store keeps no payloads. */
  async payload(): Promise<undefined> {}

  async reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]> {
    const reopened: string[] = [];
    for (const run of this.#events.find(key)?.runs ?? []) {
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
    for (const run of this.#events.find(key)?.runs ?? []) {
      const record = dismissRun(run.record, Date.now());
      if (!record || handlerIds?.includes(run.handlerId) === false) continue;
      run.record = record;
      dismissed.push(run.handlerId);
    }
    return dismissed;
  }

  async stats(endpoint?: string, states?: readonly RunState[]): Promise<readonly InboxRunCount[]> {
    const counter = new RunCounter(states);
    for (const event of this.#events.matching({ endpoint })) counter.add(toEntry(event));
    return counter.counts;
  }

  async get(key: InboxKey): Promise<InboxEntry | undefined> {
    const stored = this.#events.find(key);
    return stored && toEntry(stored);
  }

  async list(filter: InboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    const { limit = DEFAULT_PAGE_SIZE, cursor = '0' } = page;
    const after = positionOf(cursor);
    const found: StoredEvent[] = [];
    for (const event of this.#events.matching(filter)) {
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
    return [...this.#events.matching(filter)].length;
  }

  async prune(before: Date): Promise<number> {
    const now = Date.now();
    const { size } = this.#events;
    this.#events.forget(
      ({ receivedAt }) => receivedAt < before.getTime(),
      (event) => hasRunInProgress(event, now),
      size,
    );
    return size - this.#events.size;
  }

  async erase(which: InboxErasure): Promise<number> {
    const now = Date.now();
    return [...this.#events.matching(which)].filter((event) => eraseEvent(event, now)).length;
  }

  async enqueue(
    event: InboxEvent,
    handlerIds: readonly string[],
    places?: ReadonlyMap<string, OrderPlace>,
  ): Promise<ReadonlyMap<string, RunState>> {
    const now = Date.now();
    const stored = this.#record(event, now);
    const states = new Map<string, RunState>();
    for (const handlerId of handlerIds) {
      const known = stored.runs.find((run) => run.handlerId === handlerId);
      const queued = enqueueRun(known?.record, now);
      const place = places?.get(handlerId);
      if (queued && known) Object.assign(known, { record: queued, place });
      else if (queued)
        stored.runs = stored.runs.concat({ handlerId, record: queued, ...(place && { place }) });
      states.set(handlerId, (queued ?? known?.record)?.state ?? 'queued');
    }
    this.#work.add(stored, event);
    return states;
  }

  async takeDue(request: DueRequest): Promise<DueRuns> {
    return this.#work.take(request, Date.now());
  }

  /** Does nothing: the next `takeDue` checks whether a run is in progress. */
  async endTurn(): Promise<boolean> {
    return true;
  }

  async extend(key: InboxKey, handlerId: string, lease: InboxLease): Promise<boolean> {
    const run = this.#events.findRun(key, handlerId);
    const extended = extendRun(run?.record, lease, Date.now());
    if (run && extended) run.record = extended;
    return extended !== undefined;
  }

  async stranded(
    endpoint: string,
    handlerIds: readonly string[],
    dueForMs: number,
  ): Promise<ReadonlyMap<string, number>> {
    return this.#work.stranded(endpoint, handlerIds, Date.now() - dueForMs);
  }

  async setPaused(endpoint: string, isPaused: boolean): Promise<void> {
    this.#work.setPaused(endpoint, isPaused);
  }

  async isPaused(endpoint: string): Promise<boolean> {
    return this.#work.isPaused(endpoint);
  }

  async ping(): Promise<void> {}
  async close(): Promise<void> {}

  #complete(key: InboxKey, handlerId: string, lease: InboxLease): void {
    const run = this.#events.findRun(key, handlerId);
    const completed = completeRun(run?.record, lease, Date.now());
    if (!run || !completed) throw new LeaseLostError(key.eventId, handlerId);
    run.record = completed;
  }

  /** The event, which is remembered if it is new, at the cost of the oldest ones. */
  #record(event: InboxEvent, now: number): StoredEvent {
    const { maxEvents, retentionMs } = this.#options;
    this.#forget(({ receivedAt }) => receivedAt < now - retentionMs, now);
    const known = this.#events.find(event);
    if (known) return known;
    this.#forget(() => this.#events.size >= maxEvents, now);
    return this.#events.add(event, now);
  }

  #forget(isDue: (event: StoredEvent) => boolean, now: number): void {
    this.#events.forget(isDue, (event) => hasWorkLeft(event, now));
  }
}
