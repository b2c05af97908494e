import type { RunClaim, RunSettlement } from '../inbox/inbox-store.js';
import type { ValidationMode } from '../parse/parse-event.js';
import { ClaimedRun, type ClaimedRunOptions, leaseMsFor, RunLease } from './claimed-run.js';
import { MESSAGES } from './dispatch.messages.js';
import { heldBackForMs, WORKER_PATIENCE_MS } from './event-order.js';
import type {
  EventTransport,
  HandlerBatch,
  QueuedAttempt,
  QueuedRun,
  QueuedRunEnd,
} from './event-transport.js';
import { type EventHandler, type HandlerRegistry, ScalekitEventContext } from './handler.registry.js';
import { type RetryablePredicate, toRunError } from './handler-failure.js';
import {
  aggregateOutcome,
  type DispatchResult,
  type HandlerReport,
  type ReceivedEvent,
  reportClaim,
  reportRun,
  retryAfter,
  withoutCredentials,
} from './received-event.js';
import {
  failedSettlement,
  QUEUED_RETRY_MS,
  type QueuedEvent,
  RunInbox,
  type RunInboxOptions,
  transportEndpoint,
  WORKER_TIMEOUT_MS,
} from './run.inbox.js';
import { TIMED_OUT, Timeout, waitAtMost, withTimeout } from './timeout.js';

/** What the engine works with. */
interface RunEngineOptions extends RunInboxOptions {
  readonly transport: EventTransport;
  readonly handlerTimeoutMs: number;
  readonly retryable?: RetryablePredicate;
}

/** How a run ended while its delivery waited. Without a settlement, the run is still in progress. */
interface RunEnd {
  readonly report: HandlerReport;
  readonly settlement?: RunSettlement;
  /** The limit that a run in progress has exceeded. */
  readonly limit?: string;
}

// How much longer than its handlers a delivery waits for the inbox, so that the response leaves within Scalekit's 10 s.
const INBOX_GRACE_MS = 500;

/**
 * Claims, executes and settles runs: all runs of a delivery, or one run from a queue. A delivery takes two round trips to
 * the inbox, regardless of the number of handlers.
 */
export class RunEngine {
  readonly #inbox: RunInbox;
  readonly #running = new Set<string>();

  constructor(
    private readonly registry: HandlerRegistry,
    private readonly options: RunEngineOptions,
  ) {
    this.#inbox = new RunInbox(options);
  }

  /** How long the lease of a delivery lasts. */
  get leaseMs(): number {
    return leaseMsFor(this.options.handlerTimeoutMs);
  }

  /**
   * Handles a received event within the time of a delivery. Never rejects.
   *
   * @param only the ids of the handlers to run, instead of all that match the event
   */
  async deliver(received: ReceivedEvent, only?: readonly string[]): Promise<DispatchResult> {
    const matching = this.registry.matching(received.event.type);
    const handlers = only ? matching.filter(({ id }) => only.includes(id)) : matching;
    if (handlers.length === 0) return this.#conclude(received, { outcome: 'ignored', handlers: [] });
    const ids = handlers.map(({ id }) => id);
    const { transport } = this.options;
    const takesQueued = transport instanceof InlineTransport;
    const lease = new RunLease(this.leaseMs, { takesQueued, retryInMs: transport.inboxWork?.retriesInMs });
    const timeout = new Timeout(this.#timeLeft(received) + INBOX_GRACE_MS);
    try {
      const claims = await this.#inbox.claim(received, ids, lease, {
        timeout,
        keepsDelivery: !takesQueued,
        retryForMs: timeout.timeLeftMs(),
        release: (handlerId) => failedSettlement(handlerId, new Error(MESSAGES.claimedTooLate)),
      });
      if (!claims) return this.#conclude(received, { outcome: 'unavailable', handlers: [] });
      const timeoutMs = this.#timeLeft(received);
      const runs = this.#prepare(received, handlers, claims, lease, { timeoutMs, source: 'request' });
      const ends = await this.#run(received, runs, lease);
      const settlements = ends.flatMap(({ settlement }) => settlement ?? []);
      const settled = await this.#inbox.settle(received, settlements, lease, timeout);
      const reports = ids.map(
        (id) => ends.find(({ report }) => report.handlerId === id)?.report ?? reportClaim(id, claims.get(id)),
      );
      const outcome = settled ? aggregateOutcome(reports) : 'unavailable';
      return this.#conclude(received, { outcome, handlers: reports, ...retryAfter(claims) }, ends);
    } finally {
      timeout.end();
    }
  }

  /** Reads the event of a queued run: see `RunInbox.readQueued`. */
  readQueued(run: QueuedRun, validation: ValidationMode): ReturnType<RunInbox['readQueued']> {
    return this.#inbox.readQueued(run, validation);
  }

  /**
   * Makes one attempt at a run that a delivery has queued. Never rejects.
   *
   * @param queuedUnder the token of the lease under which the delivery queued the run
   */
  async attemptQueued(
    { received, refused }: QueuedEvent,
    handlerId: string,
    { timeoutMs, isLast }: QueuedAttempt,
    queuedUnder: string,
  ): Promise<QueuedRunEnd> {
    if (this.#inbox.backsOffForMs > 0) return this.#inbox.unavailable();
    const lease = new RunLease(leaseMsFor(timeoutMs), { takesOver: queuedUnder });
    const claims = await withTimeout(WORKER_TIMEOUT_MS, (timeout) => {
      // Queued without an error, so that the attempt does not count.
      const release = (): RunSettlement => ({ handlerId, state: 'queued' });
      const limits = { timeout, retryForMs: QUEUED_RETRY_MS, release };
      return this.#inbox.claim(received, [handlerId], lease, limits);
    });
    if (!claims) return this.#inbox.unavailable();
    const claim = claims.get(handlerId);
    if (claim?.state === 'running') return { state: 'busy', retryInMs: claim.leaseEndsInMs };
    if (claim?.state === 'dead')
      return { state: 'dead', error: toRunError(new Error(MESSAGES.queuedRunDead)) };
    if (claim?.state !== 'claimed') return { state: 'done' };

    const handler = this.registry.byId(handlerId);
    const handlers = handler && !refused ? [handler] : [];
    const limits = { timeoutMs, source: 'queue', patienceMs: WORKER_PATIENCE_MS } as const;
    const [run] = this.#prepare(received, handlers, claims, lease, limits);
    // Another version of the application may have the handler, so the run keeps its remaining attempts.
    let end = failedSettlement(handlerId, refused ?? new Error(MESSAGES.handlerGone(handlerId)));
    if (run) {
      // A run cannot be settled after its lease, so waiting longer would only block the worker.
      const executed = await waitAtMost(run.execute(), lease.durationMs);
      end =
        executed === TIMED_OUT ? failedSettlement(handlerId, new Error(MESSAGES.queuedRunHangs)) : executed;
    }
    if (run?.isHeldBack) {
      await this.#inbox.settleWithinLease(received, { handlerId, state: 'queued' }, lease);
      return { state: 'busy', retryInMs: heldBackForMs() };
    }
    const { attempt } = claim;
    const { endpoint, log } = this.options;
    const settlement: RunSettlement =
      end.state === 'failed' ? { ...end, state: isLast ? 'dead' : 'queued' } : end;
    if (settlement.error) {
      const limit = run?.isOverdue ? run.limitWithin(timeoutMs) : undefined;
      const thrown = run?.thrown ?? refused ?? settlement.error;
      const { state } = settlement;
      log.attemptFailed(received, { handlerId, attempt, state, thrown, limit });
    } else log.queuedEnd(received, handlerId, 'queue');
    const observation = run
      ? run.observation
      : log.observers?.begin(endpoint, received, { handlerId, attempt, source: 'queue' });
    observation?.end(settlement);
    const settled = await this.#inbox.settleWithinLease(received, settlement, lease);
    if (!settled) return this.#inbox.unavailable();
    if (!settlement.error) return { state: 'done' };
    return { state: settlement.state === 'dead' ? 'dead' : 'failed', error: settlement.error };
  }

  /** The runs that are executed in this process now: handler and event. */
  get running(): readonly string[] {
    return [...this.#running];
  }

  /** Resolves when all work that continued after its delivery has ended. */
  drain(): Promise<void> {
    return this.#inbox.drain();
  }

  /** The runs that were claimed, ready to be executed. */
  #prepare(
    received: ReceivedEvent,
    handlers: readonly EventHandler[],
    claims: ReadonlyMap<string, RunClaim>,
    lease: RunLease,
    limits: Pick<ClaimedRunOptions, 'timeoutMs' | 'source' | 'patienceMs'>,
  ): readonly ClaimedRun[] {
    const { endpoint, inbox, retryable, log } = this.options;
    const context = new ScalekitEventContext(received, endpoint);
    return handlers.flatMap((handler) => {
      const claim = claims.get(handler.id);
      if (claim?.state !== 'claimed') return [];
      const { attempt } = claim;
      const running = this.#running;
      const run = { handler, attempt, received, context, lease, inbox, log, running, retryable, ...limits };
      return new ClaimedRun(run);
    });
  }

  /** How the runs ended. */
  #run(received: ReceivedEvent, runs: readonly ClaimedRun[], lease: RunLease): Promise<readonly RunEnd[]> {
    const completions = runs.length === 0 ? [] : this.#start(received, runs, lease);
    return Promise.all(runs.map((run, index) => this.#endOf(received, run, completions[index], lease)));
  }

  #start(
    { event, rawBody, deliveryId, receivedAt, headers }: ReceivedEvent,
    runs: readonly ClaimedRun[],
    { token: leaseToken }: RunLease,
  ): readonly Promise<RunSettlement>[] {
    const { endpoint, transport, inbox } = this.options;
    try {
      return transport.start({
        endpoint: transportEndpoint(endpoint, inbox),
        event,
        rawBody,
        deliveryId,
        receivedAt,
        // Any other transport may store them, and so outlive the request.
        ...(transport instanceof InlineTransport
          ? { headers }
          : { headers: withoutCredentials(headers), carried: this.options.log.observers?.carry() }),
        leaseToken,
        isInInbox: inbox.delivery !== undefined,
        runs,
      });
    } catch (error) {
      return runs.map(() => Promise.reject(error));
    }
  }

  /** Waits for one run until its deadline. Never rejects. */
  async #endOf(
    received: ReceivedEvent,
    run: ClaimedRun,
    completion: Promise<RunSettlement> | undefined,
    lease: RunLease,
  ): Promise<RunEnd> {
    const { handlerId } = run;
    const patienceMs = this.options.transport.spansProcesses ? this.#timeLeft(received) : run.timeoutMs;
    try {
      if (!completion) throw new Error(MESSAGES.transportReturnedTooFew);
      const ending = completion.then((settlement) => this.#ended(received, run, settlement));
      const settlement = await waitAtMost(ending, patienceMs);
      if (settlement !== TIMED_OUT) {
        if (run.isHeldBack) return { settlement, report: { handlerId, state: 'not_started' } };
        return { settlement, report: reportRun(handlerId, settlement, run.isOverdue) };
      }
      const ended = ending.catch((error) => this.#notStarted(received, handlerId, error));
      this.#inbox.settleLate(received, ended, lease);
      const limit = run.limitWithin(this.options.handlerTimeoutMs);
      return { report: { handlerId, state: 'overdue' }, limit };
    } catch (error) {
      const settlement = this.#notStarted(received, handlerId, error);
      return { settlement, report: { handlerId, state: 'not_started' } };
    }
  }

  #ended(received: ReceivedEvent, run: ClaimedRun, settlement: RunSettlement): RunSettlement {
    const { state, error } = settlement;
    const { handlerId, attempt, thrown = error } = run;
    if (error) this.options.log.attemptFailed(received, { handlerId, attempt, state, thrown });
    run.observation?.end(settlement);
    return settlement;
  }

  /** Releases a run that the transport could not take, so that a retry can start it. */
  #notStarted(received: ReceivedEvent, handlerId: string, error: unknown): RunSettlement {
    this.options.log.fault('start_failed', received, error);
    return failedSettlement(handlerId, error);
  }

  #conclude(received: ReceivedEvent, result: DispatchResult, ends: readonly RunEnd[] = []): DispatchResult {
    const limits = ends.flatMap(({ report, limit }) => (limit ? ([[report.handlerId, limit]] as const) : []));
    this.options.log.result(received, result, new Map(limits));
    return result;
  }

  /** How much of the handlers' time is left, in ms; negative after the deadline. */
  #timeLeft({ receivedAt }: ReceivedEvent): number {
    return receivedAt.getTime() + this.options.handlerTimeoutMs - Date.now();
  }
}

/** The default transport: runs all handlers of an event concurrently, within the request. */
export class InlineTransport implements EventTransport {
  start({ runs }: HandlerBatch): readonly Promise<RunSettlement>[] {
    return runs.map((run) => run.execute());
  }
}
