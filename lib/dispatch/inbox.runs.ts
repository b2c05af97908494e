import { PayloadErasedError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { RunState } from '../inbox/inbox-queries.js';
import type { InboxStore, RunSettlement } from '../inbox/inbox-store.js';
import { type DueRun, type InboxWorkStore, isWorkStore, WORK_METHODS } from '../inbox/inbox-work.js';
import type { ValidationMode } from '../parse/parse-event.js';
import { ClaimedRun, leaseMsFor, RunLease } from './claimed-run.js';
import type { WorkLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import { heldBackForMs, placeOf, placesOf, WORKER_PATIENCE_MS } from './event-order.js';
import type { EndpointRuns, TakenRun, WorkLimits } from './event-transport.js';
import { type EventHandler, type HandlerRegistry, ScalekitEventContext } from './handler.registry.js';
import type { RetryablePredicate } from './handler-failure.js';
import type { AttemptObservation } from './observers.js';
import {
  aggregateOutcome,
  type DispatchResult,
  type HandlerReport,
  type HandlerReportState,
  type ReceivedEvent,
  toReceived,
} from './received-event.js';
import { failedSettlement, RunInbox, WORKER_TIMEOUT_MS } from './run.inbox.js';
import { backoffMs, CircuitBreaker, TIMED_OUT, waitAtMost, withTimeout } from './timeout.js';

/** What taking runs from the inbox needs to know. */
interface InboxRunsOptions {
  readonly endpoint: string;
  readonly inbox: InboxStore;
  readonly log: WorkLog;
  readonly handlerTimeoutMs: number;
  readonly validation: ValidationMode;
  readonly retryable?: RetryablePredicate;
  /** Finds the handlers of modules that were loaded since. Never rejects. */
  readonly findHandlers: () => Promise<void>;
}

/** How an attempt ended. */
interface AttemptEnd {
  readonly settlement: RunSettlement;
  /** What the handler threw, if it did. */
  readonly thrown?: unknown;
  /** The limit that the attempt has exceeded. */
  readonly limit?: string | undefined;
  /** Whether the handler did not begin, so that this was no attempt. */
  readonly isHeldBack?: boolean;
  /** Set if there are observers and the handler began. */
  readonly observation?: AttemptObservation | undefined;
}

// A lease is extended often enough that two extensions may fail.
const EXTENSIONS_PER_LEASE = 3;
// Runs that have just become due may have a worker in another process.
const STRANDED_FOR_MS = 60_000;

/** The state in a report, by the state of a run that workers have. */
const REPORTED = {
  queued: 'queued',
  running: 'queued',
  failed: 'queued',
  done: 'already_done',
  dead: 'already_dead',
} as const satisfies Record<RunState, HandlerReportState>;

/** Hands the runs of deliveries to workers through the inbox, and takes the runs that are due. */
export class InboxRuns implements EndpointRuns {
  readonly endpoint: string;
  readonly #store: InboxWorkStore;
  readonly #inbox: RunInbox;
  readonly #takes = new CircuitBreaker();
  readonly #running = new Set<string>();
  readonly #releases = new Set<Promise<unknown>>();
  #isPaused = false;

  /** @throws ScalekitWebhooksConfigurationError when workers cannot take runs from the inbox */
  constructor(
    private readonly registry: HandlerRegistry,
    private readonly options: InboxRunsOptions,
  ) {
    this.endpoint = options.endpoint;
    this.#store = requireWorkStore(options.inbox);
    this.#inbox = new RunInbox(options);
  }

  /** Records a received event, and hands its runs to the workers. Never rejects. */
  async enqueue(received: ReceivedEvent, only?: readonly string[]): Promise<DispatchResult> {
    const matching = this.registry.matching(received.event.type);
    const handlers = only ? matching.filter(({ id }) => only.includes(id)) : matching;
    const result = handlers.length === 0 ? IGNORED : await this.#enqueue(received, handlers);
    this.options.log.result(received, result, new Map());
    return result;
  }

  get backsOffForMs(): number {
    return this.#takes.refusesForMs;
  }

  async take(limit: number, leaseMs: number): Promise<readonly TakenRun[] | undefined> {
    const { endpoint } = this;
    await this.options.findHandlers();
    const lease = new RunLease(leaseMs);
    const handlerIds = this.registry.ids;
    try {
      const taking = this.#takes.call(async () =>
        this.#store.takeDue({ endpoint, handlerIds, limit, lease }),
      );
      const taken = await waitAtMost(taking, WORKER_TIMEOUT_MS);
      if (taken === TIMED_OUT) {
        this.#releaseLate(taking.then(({ runs }) => runs.map((run) => this.#toTakenRun(run, lease))));
        const tooSlow = new Error(MESSAGES.inboxTooSlow);
        this.#takes.failed(tooSlow);
        throw tooSlow;
      }
      this.#reportPause(taken.isPaused);
      return taken.runs.map((run) => this.#toTakenRun(run, lease));
    } catch (error) {
      this.options.log.workFault(error);
      return undefined;
    }
  }

  async reportStranded(): Promise<void> {
    try {
      const asked = this.#store.stranded(this.endpoint, this.registry.ids, STRANDED_FOR_MS);
      const counts = await waitAtMost(asked, WORKER_TIMEOUT_MS);
      if (counts === TIMED_OUT || counts.size === 0) return;
      const texts = [...counts].map(([handlerId, runs]) => `${handlerId} (${runs})`);
      this.options.log.work(MESSAGES.runsStranded(texts));
    } catch (error) {
      this.options.log.workFault(error);
    }
  }

  /** The runs that are executed in this process now: handler and event. */
  get running(): readonly string[] {
    return [...this.#running];
  }

  /** Resolves when all work that nothing else waits for has ended. */
  async drain(): Promise<void> {
    await Promise.allSettled([this.#inbox.drain(), ...this.#releases]);
  }

  async #enqueue(received: ReceivedEvent, matching: readonly EventHandler[]): Promise<DispatchResult> {
    const ids = matching.map(({ id }) => id);
    const places = placesOf(matching, this.endpoint, received.event);
    const timeLeftMs = received.receivedAt.getTime() + this.options.handlerTimeoutMs - Date.now();
    const states = await withTimeout(timeLeftMs, (timeout) =>
      this.#inbox.enqueue(this.#store, received, ids, places, timeout),
    );
    if (!states) return { outcome: 'unavailable', handlers: [] };
    const handlers = ids.map(
      (handlerId): HandlerReport => ({ handlerId, state: REPORTED[states.get(handlerId) ?? 'queued'] }),
    );
    return { outcome: aggregateOutcome(handlers), handlers };
  }

  #toTakenRun(run: DueRun, batchLease: RunLease): TakenRun {
    const lease = batchLease.ofOneRun();
    return {
      perform: async (limits, attempted) => {
        const end = await this.#attempt(run, lease, limits);
        attempted();
        if (!end.isHeldBack) this.#report(run, end);
        return this.#settle(run, end.settlement, lease);
      },
      // Queued without an error, so that the attempt does not count.
      release: async () => {
        await this.#settle(run, { handlerId: run.handlerId, state: 'queued' }, lease);
      },
    };
  }

  /** Makes one attempt. Never rejects. */
  async #attempt(run: DueRun, lease: RunLease, limits: WorkLimits): Promise<AttemptEnd> {
    const { handlerId, workerAttempt } = run;
    const handler = this.registry.byId(handlerId);
    if (!handler) return failure(handlerId, new Error(MESSAGES.handlerGone(handlerId)));
    const { attempts = limits.attempts, backoff = limits.backoff } = handler;
    if (workerAttempt > attempts) {
      return dead(failure(handlerId, new Error(MESSAGES.noAttemptLeft(attempts, run.lastError))));
    }
    const end = await this.#execute(run, handler, lease, limits.timeoutMs);
    const { settlement } = end;
    if (settlement.state !== 'failed') return end;
    if (workerAttempt >= attempts) return dead(end);
    return { ...end, settlement: { ...settlement, retryInMs: backoffMs(backoff, workerAttempt) } };
  }

  #report(run: DueRun, { settlement, thrown, limit, observation }: AttemptEnd): void {
    const { handlerId, attempt } = run;
    const { state, error } = settlement;
    const { log } = this.options;
    const event = loggedEvent(run);
    if (error) log.attemptFailed(event, { handlerId, attempt, state, thrown: thrown ?? error, limit });
    else log.queuedEnd(event, handlerId, 'inbox');
    const started = { handlerId, attempt, source: 'inbox' } as const;
    (observation ?? log.observers?.begin(this.endpoint, event, started))?.end(settlement);
  }

  async #execute(
    run: DueRun,
    handler: EventHandler,
    lease: RunLease,
    timeoutMs: number,
  ): Promise<AttemptEnd> {
    const { inbox, retryable, validation, endpoint, log } = this.options;
    const { attempt, handlerId } = run;
    const extension = this.#keepExtended(run, lease);
    try {
      const received = toReceivedEvent(run, validation);
      // Throws if the handler's `order` function fails, which has kept the run without a place.
      placeOf(handler, endpoint, received.event);
      const context = new ScalekitEventContext(received, endpoint);
      const limits = { timeoutMs, source: 'inbox', patienceMs: WORKER_PATIENCE_MS } as const;
      const given = { handler, attempt, received, context, lease, inbox, log, retryable };
      const claimed = new ClaimedRun({ ...given, ...limits, running: this.#running });
      const end = await waitAtMost(claimed.execute(), leaseMsFor(claimed.timeoutMs));
      const limit = claimed.isOverdue ? claimed.limitWithin(timeoutMs) : undefined;
      const heldBack = { handlerId, state: 'queued', retryInMs: heldBackForMs() } as const;
      if (claimed.isHeldBack) return { settlement: heldBack, isHeldBack: true };
      const { observation, thrown } = claimed;
      if (end !== TIMED_OUT) return { settlement: end, thrown, limit, observation };
      return { ...failure(handlerId, new Error(MESSAGES.queuedRunHangs)), limit, observation };
    } catch (error) {
      // The event cannot be read, for example because this release validates more strictly.
      return failure(handlerId, error);
    } finally {
      clearInterval(extension);
    }
  }

  /** Extends the lease while the run is executed, so that a dead process loses it soon but a slow handler does not. */
  #keepExtended(run: DueRun, lease: RunLease): NodeJS.Timeout {
    const extend = async () => {
      const askedAt = Date.now();
      if (await this.#store.extend(run, run.handlerId, lease)) lease.extended(askedAt);
    };
    // If it fails until the lease ends, the settlement finds out.
    return setInterval(() => extend().catch(() => {}), lease.durationMs / EXTENSIONS_PER_LEASE);
  }

  /** @returns whether it was the turn of this run, and is that of another one now */
  async #settle(run: DueRun, end: RunSettlement, lease: RunLease): Promise<boolean> {
    await this.#inbox.settleWithinLease(loggedEvent(run), end, lease);
    const { orderKey, handlerId } = run;
    if (orderKey === undefined) return false;
    const ending = async () => this.#store.endTurn?.(run, handlerId, orderKey, lease);
    // If it fails, the runs behind this one wait until the lease has ended.
    return (await waitAtMost(ending(), WORKER_TIMEOUT_MS).catch(() => false)) === true;
  }

  /** Gives back runs that the inbox handed out when nothing waited for them anymore. */
  #releaseLate(taking: Promise<readonly TakenRun[]>): void {
    const released = taking
      .then((runs) => Promise.all(runs.map((run) => run.release())))
      .catch(() => {})
      .finally(() => this.#releases.delete(released));
    this.#releases.add(released);
  }

  #reportPause(isPaused: boolean): void {
    if (isPaused !== this.#isPaused) this.options.log.pause(isPaused);
    this.#isPaused = isPaused;
  }
}

const IGNORED: DispatchResult = Object.freeze({ outcome: 'ignored', handlers: [] });

/** @throws ScalekitWebhooksConfigurationError when workers cannot take runs from the store */
export function requireWorkStore(inbox: InboxStore): InboxWorkStore {
  if (isWorkStore(inbox)) return inbox;
  const missing = WORK_METHODS.filter((method) => typeof Reflect.get(inbox, method) !== 'function');
  throw new ScalekitWebhooksConfigurationError(
    'inbox',
    MESSAGES.inboxWithoutWork(inbox.constructor.name, missing),
  );
}

function failure(handlerId: string, thrown: unknown): AttemptEnd {
  return { settlement: failedSettlement(handlerId, thrown), thrown };
}

function dead(end: AttemptEnd): AttemptEnd {
  return { ...end, settlement: { ...end.settlement, state: 'dead' } };
}

function loggedEvent({ eventId: id, type, occurredAt, delivery }: DueRun) {
  return { event: { id, type, occurred_at: occurredAt }, carried: delivery?.carried };
}

function toReceivedEvent(
  { eventId, payload, unreadable, delivery, receivedAt }: DueRun,
  validation: ValidationMode,
): ReceivedEvent {
  if (unreadable) throw unreadable;
  if (!payload) throw new PayloadErasedError(eventId);
  const { id: deliveryId, ...others } = delivery ?? {};
  const arrival = { receivedAt, isStored: true, ...(delivery && { deliveryId, ...others }) };
  return toReceived(payload, arrival, validation);
}
