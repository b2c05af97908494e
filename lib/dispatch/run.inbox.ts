import { isPayloadUnreadable, PayloadErasedError, type PayloadUnreadableError } from '../errors/errors.js';
import { organizationIdOf, scalekitEventEntity } from '../events/event-entity.js';
import type { RunState } from '../inbox/inbox-queries.js';
import type { InboxEvent, InboxStore, RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import type { InboxWorkStore, OrderPlace } from '../inbox/inbox-work.js';
import { parseReceivedEvent, type ValidationMode } from '../parse/parse-event.js';
import type { RunLease } from './claimed-run.js';
import type { LoggedEvent, RunLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import type { QueuedRun, QueuedRunEnd } from './event-transport.js';
import { toRunError } from './handler-failure.js';
import type { RunFault } from './observers.js';
import { ReceivedEvent, toReceived, withoutCredentials } from './received-event.js';
import { CircuitBreaker, TIMED_OUT, type Timeout, withTimeout } from './timeout.js';

/** A worker is in no hurry, but must notice that the inbox does not respond. */
export const WORKER_TIMEOUT_MS = 5000;
// During a longer outage of the inbox, a worker's job goes back to the queue.
export const QUEUED_RETRY_MS = 1000;
// While the inbox is down, the jobs of a queue come back over this time instead of all at once.
const QUEUED_SPREAD_MS = 1000;

/** What an endpoint's inbox needs to know. */
export interface RunInboxOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly log: RunLog;
}

/** How long a claim may take, and how to release it if it takes longer. */
export interface ClaimLimits {
  readonly timeout: Timeout;
  /** Whether a worker may need to know how the event arrived. */
  readonly keepsDelivery?: boolean;
  /** How long to retry a claim that fails. */
  readonly retryForMs: number;
  /** Releases a run whose claim came too late, so that a retry does not have to wait for its lease to end. */
  readonly release: (handlerId: string) => RunSettlement;
}

/** The event of a queued run. If the inbox no longer has its payload or cannot read it, only what its entry says. */
export interface QueuedEvent {
  readonly received: ReceivedEvent;
  /** Why the run cannot be executed. */
  readonly refused?: PayloadErasedError | PayloadUnreadableError;
}

/** Claims and settles runs in an endpoint's inbox, with retries and time limits. */
export class RunInbox {
  readonly #late = new Set<Promise<unknown>>();
  // One for each, because an inbox that refuses to record results may still accept claims.
  readonly #claims = new CircuitBreaker();
  readonly #settlements = new CircuitBreaker();

  constructor(private readonly options: RunInboxOptions) {}

  /** How long no more claims are made because claims have failed, in ms. 0 if they are. */
  get backsOffForMs(): number {
    return this.#claims.refusesForMs;
  }

  /** How an attempt at a queued run ends while the inbox does not respond. */
  unavailable(): QueuedRunEnd {
    const retryInMs = Math.ceil(this.backsOffForMs + Math.random() * QUEUED_SPREAD_MS);
    return { state: 'unavailable', retryInMs };
  }

  /** Retries until it succeeds or the lease ends: a settlement is fenced by its lease, so repeating it is safe. */
  async #settle(
    received: LoggedEvent,
    settlements: readonly RunSettlement[],
    lease: RunLease,
  ): Promise<true> {
    if (settlements.length === 0) return true;
    const key = { endpoint: this.options.endpoint, eventId: received.event.id };
    const ends = settlements.map((settlement) => withRetry(settlement, lease));
    const written = await this.#settlements.retryWithin(
      () => this.options.inbox.settle(key, ends, lease),
      () => lease.timeLeftMs(),
    );
    // A worker may take a run from the queue before its delivery has recorded it as queued.
    const isLost = ({ handlerId, state, error }: RunSettlement) =>
      (state !== 'queued' || error !== undefined) && !written.includes(handlerId);
    if (settlements.some(isLost)) this.options.log.fault('lease_lost', received);
    return true;
  }

  /**
   * Claims runs. Retries until it succeeds or the time is over: repeating a claim under the same lease gives the same
   * result. Resolves to undefined when the inbox fails or does not respond in time.
   */
  claim(
    received: ReceivedEvent,
    handlerIds: readonly string[],
    lease: RunLease,
    { timeout, keepsDelivery = false, retryForMs, release }: ClaimLimits,
  ): Promise<ReadonlyMap<string, RunClaim> | undefined> {
    const event = this.#toInboxEvent(received, keepsDelivery || lease.retryInMs !== undefined);
    const retryUntil = Date.now() + retryForMs;
    const claiming = this.#claims.retryWithin(
      () => this.options.inbox.claim(event, handlerIds, lease),
      () => retryUntil - Date.now(),
    );
    return this.#inTime(received, this.#claims, 'claim_failed', timeout, claiming, (claims) => {
      const claimed = [...claims].filter(([, { state }]) => state === 'claimed');
      const released = claimed.map(([handlerId]) => release(handlerId));
      return this.#settle(received, released, lease);
    });
  }

  /**
   * Reads the event of a queued run: from the inbox, or from the run if the inbox never kept it. Resolves to how the
   * attempt ends if there is no event.
   *
   * @throws InvalidEventError when the event cannot be read
   */
  async readQueued(
    run: QueuedRun,
    validation: ValidationMode,
  ): Promise<QueuedEvent | { readonly end: QueuedRunEnd }> {
    if (this.backsOffForMs > 0) return { end: this.unavailable() };
    const { eventId, type = '', rawBody } = run;
    const { inbox } = this.options;
    const fromRun = rawBody && (() => ({ received: toReceived(rawBody, run, validation) }));
    if (fromRun && (eventId === undefined || (!inbox.delivery && !inbox.erase))) return fromRun();
    const id = eventId ?? '';
    const event = { event: { id, type } };
    const read = await withTimeout(WORKER_TIMEOUT_MS, (timeout) => {
      const reading = this.#claims.retryWithin(
        () => this.#read(id),
        () => timeout.timeLeftMs() - WORKER_TIMEOUT_MS + QUEUED_RETRY_MS,
      );
      return this.#inTime(event, this.#claims, 'claim_failed', timeout, reading);
    });
    if (!read) return { end: this.unavailable() };
    const { payload, delivery, entry, unreadable } = read;
    if (payload)
      return { received: toReceived(payload, { ...run, ...delivery, isStored: true }, validation) };
    if (fromRun && !entry?.erasedAt) return fromRun();
    const refused = unreadable ?? new PayloadErasedError(id);
    if (!entry) return { end: { state: 'dead', error: toRunError(refused) } };
    const { type: ofType, occurredAt } = entry;
    const known = JSON.stringify({ id, type: ofType, occurred_at: occurredAt, data: {} });
    const parsed = parseReceivedEvent(Buffer.from(known), 'off');
    // Without a body, nothing that looks like the event can be stored.
    return { received: new ReceivedEvent(parsed, { ...run, rawBody: Buffer.of(), isStored: true }), refused };
  }

  async #read(eventId: string) {
    const { endpoint, inbox } = this.options;
    const key = { endpoint, eventId };
    try {
      const [payload, delivery] = await Promise.all([inbox.payload(key), inbox.delivery?.(key)]);
      return { payload, delivery, entry: payload ? undefined : await inbox.get(key) };
    } catch (error) {
      if (!isPayloadUnreadable(error)) throw error;
      return { unreadable: error, entry: await inbox.get(key) };
    }
  }

  /** Hands runs to the workers, with the retries and limits of a claim. */
  enqueue(
    store: InboxWorkStore,
    received: ReceivedEvent,
    handlerIds: readonly string[],
    places: ReadonlyMap<string, OrderPlace>,
    timeout: Timeout,
  ): Promise<ReadonlyMap<string, RunState> | undefined> {
    const event = this.#toInboxEvent(received, true);
    const enqueuing = this.#claims.retryWithin(
      () => (places.size > 0 ? store.enqueue(event, handlerIds, places) : store.enqueue(event, handlerIds)),
      () => timeout.timeLeftMs(),
    );
    return this.#inTime(received, this.#claims, 'claim_failed', timeout, enqueuing);
  }

  /** Records how runs ended. Resolves to undefined when the inbox fails or does not respond in time. */
  settle(
    received: LoggedEvent,
    settlements: readonly RunSettlement[],
    lease: RunLease,
    timeout: Timeout,
  ): Promise<true | undefined> {
    const settling = this.#settle(received, settlements, lease);
    return this.#inTime(received, this.#settlements, 'settle_failed', timeout, settling);
  }

  /** Records how a run ended, for workers: they wait until its lease has ended, but 5 seconds at least. */
  settleWithinLease(
    received: LoggedEvent,
    settlement: RunSettlement,
    lease: RunLease,
  ): Promise<true | undefined> {
    return withTimeout(Math.max(lease.timeLeftMs(), WORKER_TIMEOUT_MS), (timeout) =>
      this.settle(received, [settlement], lease, timeout),
    );
  }

  /** Settles a run that is still in progress after its delivery, as soon as it ends. */
  settleLate(received: ReceivedEvent, ending: Promise<RunSettlement>, lease: RunLease): void {
    const settled = ending.then((settlement) => {
      this.options.log.lateEnd(received, settlement);
      return this.#settle(received, [settlement], lease);
    });
    this.#finishLater(received, 'settle_failed', settled);
  }

  /** Resolves when all work that continued after its delivery has ended: runs, their settlements, and late claims. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#late);
  }

  async #inTime<T>(
    received: LoggedEvent,
    breaker: CircuitBreaker,
    fault: RunFault,
    timeout: Timeout,
    asked: Promise<T>,
    whenLate?: (answer: T) => Promise<unknown>,
  ): Promise<T | undefined> {
    try {
      const answer = await timeout.wait(asked);
      if (answer !== TIMED_OUT) return answer;
      this.#finishLater(received, fault, asked.then(whenLate));
      const tooSlow = new Error(MESSAGES.inboxTooSlow);
      breaker.failed(tooSlow);
      throw tooSlow;
    } catch (error) {
      this.options.log.fault(fault, received, error);
      return undefined;
    }
  }

  /** @param hasWorkers whether workers may need to know how the event arrived */
  #toInboxEvent(received: ReceivedEvent, hasWorkers: boolean): InboxEvent {
    const { endpoint, log } = this.options;
    const { event, rawBody: payload, deliveryId: id, headers, isStored } = received;
    const { id: eventId, type, occurred_at: occurredAt } = event;
    const organizationId = indexable(organizationIdOf(event));
    const entity = indexable(scalekitEventEntity(event));
    const stored: InboxEvent = {
      endpoint,
      eventId,
      type,
      occurredAt,
      ...(organizationId !== undefined && { organizationId }),
      ...(entity !== undefined && { entity }),
      payload,
      ...(isStored && { isStored }),
    };
    if (!hasWorkers) return stored;
    const carried = log.observers?.carry();
    return {
      ...stored,
      delivery: { id, headers: withoutCredentials(headers), ...(carried && { carried }) },
    };
  }

  #finishLater(received: LoggedEvent, fault: RunFault, work: Promise<unknown>): void {
    const late = work
      .catch((error) => this.options.log.fault(fault, received, error))
      .finally(() => this.#late.delete(late));
    this.#late.add(late);
  }
}

// A database refuses to index longer ones, and an event must not be lost because it has a strange id.
const LONGEST_NAME = 300;

function indexable(name: string | undefined): string | undefined {
  return name !== undefined && name.length <= LONGEST_NAME ? name : undefined;
}

/** A run that fails in a delivery waits as long for its worker as one that its delivery never settles. */
function withRetry(settlement: RunSettlement, { retryInMs }: RunLease): RunSettlement {
  if (settlement.state !== 'failed' || retryInMs === undefined) return settlement;
  return { retryInMs, ...settlement };
}

/** The settlement of a run that was not executed. A retry can claim it, unless the payload of its event is gone. */
export function failedSettlement(handlerId: string, error: unknown): RunSettlement {
  const state = error instanceof PayloadErasedError ? 'dead' : 'failed';
  return { handlerId, state, error: toRunError(error) };
}

/** The name of an endpoint for its transport, whose queue can also contain runs of other applications. */
export function transportEndpoint(endpoint: string, { application }: InboxStore): string {
  return application === undefined ? endpoint : `${application}/${endpoint}`;
}
