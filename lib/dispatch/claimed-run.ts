import { randomUUID } from 'node:crypto';
import {
  ScalekitWebhooksConfigurationError,
  TransactionNotCommittedError,
  TransactionTimeoutError,
} from '../errors/errors.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { InboxLease, InboxStore, InboxTransaction, RunSettlement } from '../inbox/inbox-store.js';
import type { RunLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import { waitForTurn } from './event-order.js';
import type { HandlerRun } from './event-transport.js';
import type { EventHandler, ScalekitEventContext } from './handler.registry.js';
import { isFinalFailure, type RetryablePredicate, toRunError } from './handler-failure.js';
import type { AttemptObservation, ObservedAttempt } from './observers.js';
import type { ReceivedEvent } from './received-event.js';
import { idempotencyKey, type ScalekitDelivery } from './scalekit-delivery.js';
import { CircuitBreaker, Deadline } from './timeout.js';

// A run that misses its deadline gets the same time again before another process may take it over.
const LEASE_FACTOR = 2;
// How long to ask whether a transaction was committed. Without an answer, the run fails, and a retry finds out.
const COMMIT_CHECK_MS = 1000;

/** How long the lease of runs with this time limit lasts, in ms. */
export function leaseMsFor(timeoutMs: number): number {
  return timeoutMs * LEASE_FACTOR;
}

// No other process has this prefix. Node builds a UUID from many pieces, which would take more memory than the run.
const TOKEN_PREFIX = `${randomUUID()}-`;

/** The lease of a claim. It lasts `durationMs`, unless it is extended. */
export class RunLease implements InboxLease {
  readonly takesOver?: string;
  readonly takesQueued?: boolean;
  readonly retryInMs?: number;
  static #count = 0;
  #startedAt = Date.now();

  constructor(
    readonly durationMs: number,
    { takesOver, takesQueued, retryInMs }: Partial<Omit<InboxLease, 'token' | 'durationMs'>> = {},
    readonly token: string = TOKEN_PREFIX + ++RunLease.#count,
  ) {
    if (takesOver !== undefined) this.takesOver = takesOver;
    if (takesQueued !== undefined) this.takesQueued = takesQueued;
    if (retryInMs !== undefined) this.retryInMs = retryInMs;
  }

  /** The same lease for one of its runs, to be extended without the others. */
  ofOneRun(): RunLease {
    const lease = new RunLease(this.durationMs, {}, this.token);
    lease.#startedAt = this.#startedAt;
    return lease;
  }

  /** The inbox has extended it. `askedAt` is when it was asked to. */
  extended(askedAt: number): void {
    this.#startedAt = askedAt;
  }

  /** The minimum time until the lease ends, in ms: the inbox starts counting later. */
  timeLeftMs(): number {
    return this.#startedAt + this.durationMs - Date.now();
  }
}

/** What a claimed run needs. */
export interface ClaimedRunOptions {
  readonly handler: EventHandler;
  readonly attempt: number;
  readonly received: ReceivedEvent;
  readonly context: ScalekitEventContext;
  /** How long the attempt may take, in ms; the handler's own `timeoutMs` may be shorter. */
  readonly timeoutMs: number;
  readonly inbox: InboxStore;
  readonly lease: InboxLease;
  readonly retryable?: RetryablePredicate;
  /** Holds a description of each run while it is executed. */
  readonly running: Set<string>;
  readonly log: Pick<RunLog, 'staleRun' | 'observers'>;
  /** What starts the attempt, for observers. */
  readonly source: ObservedAttempt['source'];
  /** How long the run may wait for other events of its entity, in ms. At most, and by default, half of the attempt's time. */
  readonly patienceMs?: number;
}

/** One claimed run, with its own deadline. Event and lease are private, because a transport may log or store the run. */
export class ClaimedRun implements HandlerRun {
  readonly handlerId: string;
  readonly attempt: number;
  readonly attempts?: number;
  readonly backoff?: HandlerRun['backoff'];
  readonly timeoutMs: number;
  readonly #deadline = new Deadline();
  readonly #delivery: RunDelivery;
  readonly #handler: EventHandler;
  readonly #context: ScalekitEventContext;
  readonly #options: ClaimedRunOptions;
  #thrown: unknown;
  #isHeldBack = false;
  #observation?: AttemptObservation;

  constructor(options: ClaimedRunOptions) {
    const { handler, attempt, context, timeoutMs } = options;
    this.handlerId = handler.id;
    this.attempt = attempt;
    if (handler.attempts !== undefined) this.attempts = handler.attempts;
    if (handler.backoff !== undefined) this.backoff = handler.backoff;
    this.timeoutMs = Math.max(0, Math.min(handler.timeoutMs ?? timeoutMs, timeoutMs));
    this.#delivery = new RunDelivery(options, this.#deadline);
    this.#handler = handler;
    this.#context = context;
    this.#options = options;
  }

  /** Whether the handler did not begin, because runs of other events of its entity did not end in time. */
  get isHeldBack(): boolean {
    return this.#isHeldBack;
  }

  /** Set if there are observers and the attempt has begun. */
  get observation(): AttemptObservation | undefined {
    return this.#isHeldBack ? undefined : this.#observation;
  }

  /** Whether the deadline passed while the handler ran. */
  get isOverdue(): boolean {
    return this.#deadline.isOver;
  }

  /** What the handler threw. A settlement keeps only a part of it. */
  get thrown(): unknown {
    return this.#thrown;
  }

  /** The setting that limits the attempt, and its value. */
  limitWithin(handlerTimeoutMs: number): string {
    const { timeoutMs = handlerTimeoutMs } = this.#handler;
    return timeoutMs < handlerTimeoutMs
      ? `its timeoutMs (${timeoutMs} ms)`
      : `handlerTimeoutMs (${handlerTimeoutMs} ms)`;
  }

  // A property, so that a transport can destructure the run.
  readonly execute = async (): Promise<RunSettlement> => {
    const { handlerId } = this;
    const description = `${handlerId} (${this.#context.event.id})`;
    this.#options.running.add(description);
    this.#deadline.start(this.timeoutMs);
    const { log, received, attempt, source, context } = this.#options;
    this.#observation = log.observers?.begin(context.endpoint, received, { handlerId, attempt, source });
    try {
      const turn = this.#handler.latestOnly ? await this.#turn() : 'admitted';
      if (turn === 'stale') return { handlerId, state: 'done' };
      if (turn !== 'admitted') {
        this.#isHeldBack = true;
        return this.#failed(turn, 'failed');
      }
      const run = () => this.#handler.run(this.#context.event, this.#delivery, this.#context);
      await (this.#observation ? this.#observation.within(run) : run());
      const error = await this.#delivery.commitError();
      return error ? this.#failed(error, 'failed') : { handlerId, state: 'done' };
    } catch (thrown) {
      return this.#failed(thrown, isFinalFailure(thrown, this.#options.retryable) ? 'dead' : 'failed');
    } finally {
      this.#deadline.stop();
      this.#options.running.delete(description);
    }
  };

  /** Whether it is this event's turn: see `waitForTurn`. */
  async #turn(): Promise<'admitted' | 'stale' | Error> {
    const { inbox, lease, received, log, context } = this.#options;
    // The rest of its time is for the handler.
    const patienceMs = Math.min(this.#options.patienceMs ?? this.timeoutMs, this.timeoutMs / 2);
    const { event } = context;
    const { handlerId } = this;
    const key = { endpoint: context.endpoint, eventId: event.id };
    const turn = await waitForTurn({ inbox, key, handlerId, lease, event, patienceMs });
    if (turn === 'stale') log.staleRun(received, handlerId);
    if (turn === 'stale' && this.#observation) this.#observation.note = turn;
    return turn;
  }

  #failed(thrown: unknown, state: 'failed' | 'dead'): RunSettlement {
    this.#thrown = thrown;
    return { handlerId: this.handlerId, state, error: toRunError(thrown) };
  }
}

/** The delivery as one run's handler sees it. */
class RunDelivery implements ScalekitDelivery {
  readonly id: string;
  readonly endpoint: string;
  readonly receivedAt: Date;
  readonly attempt: number;
  readonly rawBody: Buffer;
  readonly headers: ScalekitDelivery['headers'];
  readonly issues: ScalekitDelivery['issues'];
  readonly #eventId: string;
  readonly #handlerId: string;
  readonly #inbox: InboxStore;
  readonly #lease: InboxLease;
  readonly #deadline: Deadline;
  /** The calls of `complete` and `transaction`. */
  readonly #recordings: Promise<unknown>[] = [];
  #hasTransaction = false;

  constructor({ received, context, attempt, handler, inbox, lease }: ClaimedRunOptions, deadline: Deadline) {
    this.id = received.deliveryId;
    this.endpoint = context.endpoint;
    this.receivedAt = received.receivedAt;
    this.attempt = attempt;
    this.rawBody = received.rawBody;
    this.headers = received.headers;
    this.issues = received.issues;
    this.#eventId = received.event.id;
    this.#handlerId = handler.id;
    this.#inbox = inbox;
    this.#lease = lease;
    this.#deadline = deadline;
  }

  get signal(): AbortSignal {
    return this.#deadline.signal;
  }

  get idempotencyKey(): string {
    return idempotencyKey(this.endpoint, this.#eventId, this.#handlerId, this.#inbox.application);
  }

  // Properties, so that a handler may take them out of the delivery.
  readonly complete = (transaction: InboxTransaction): Promise<void> =>
    this.#record(async () => {
      if (!this.#inbox.complete) throw this.#withoutTransactions('complete');
      await this.#inbox.complete(transaction, this.#key, this.#handlerId, this.#lease);
    });

  readonly transaction = <Tx, Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> =>
    this.#record(async () => {
      if (!this.#inbox.transaction) throw this.#withoutTransactions('transaction');
      if (this.#hasTransaction) {
        throw new ScalekitWebhooksConfigurationError('transaction', MESSAGES.secondTransaction);
      }
      this.#hasTransaction = true;
      try {
        return await this.#inbox.transaction<Tx, Result>(this.#key, this.#handlerId, this.#lease, (tx) =>
          this.#deadline.enforce(
            () => work(tx),
            () => new TransactionTimeoutError(this.#eventId, this.#handlerId),
          ),
        );
      } catch (error) {
        this.#hasTransaction = false;
        throw error;
      }
    });

  /**
   * Why the run is not done although its handler has returned: the handler recorded it in a transaction that was not
   * committed, or the inbox cannot say. Undefined if the handler recorded nothing.
   */
  async commitError(): Promise<unknown> {
    if (this.#recordings.length === 0) return undefined;
    // The handler may not have waited for them.
    await Promise.allSettled(this.#recordings);
    const startedAt = Date.now();
    try {
      const entry = await new CircuitBreaker().retryWithin(
        async () => this.#inbox.get(this.#key),
        () => startedAt + COMMIT_CHECK_MS - Date.now(),
      );
      const run = entry?.runs.find(({ handlerId }) => handlerId === this.#handlerId);
      return run?.state === 'done'
        ? undefined
        : new TransactionNotCommittedError(this.#eventId, this.#handlerId);
    } catch (error) {
      return error;
    }
  }

  get #key(): InboxKey {
    return { endpoint: this.endpoint, eventId: this.#eventId };
  }

  #record<Result>(work: () => Promise<Result>): Promise<Result> {
    const recording = work();
    this.#recordings.push(recording);
    // A handler that does not wait for it must not end the process.
    recording.catch(() => {});
    return recording;
  }

  #withoutTransactions(method: string): ScalekitWebhooksConfigurationError {
    const { name } = this.#inbox.constructor;
    return new ScalekitWebhooksConfigurationError('inbox', MESSAGES.inboxWithoutTransactions(method, name));
  }
}
