import type { PayloadUnreadableError } from '../errors/errors.js';
import type { InboxKey, InboxPageRequest, RunError, RunState } from './inbox-queries.js';
import type { InboxEvent, InboxLease, InboxStore } from './inbox-store.js';

/**
 * An inbox whose runs workers can take: what `InboxTransport` and the option `retryFailed` need. A store has either all of
 * these methods or none of them.
 *
 * Workers have only the runs that were handed to them, by `enqueue` or by a claim with `retryInMs`, until these are done or
 * dead. Each of them is **due** from a certain time on: a claim or `takeDue` makes it due when the lease has ended, and a
 * settlement as `failed` or `queued` when its `retryInMs` is over. A claim without `retryInMs` leaves it with the workers.
 *
 * `complete`, `transaction` and `dismiss` make a run done, so workers no longer take it. `reopen` makes a run due at once if
 * workers had it, and gives it all of its attempts again.
 */
export interface InboxWorkStore extends InboxStore {
  /**
   * Records the event if it is new, and hands its runs to the workers. A handler that the entry does not have yet gets a run
   * that is `queued`, without an attempt, and due at once. A `failed` run that workers do not have yet is `queued` again; one
   * that is `running` is due when its lease has ended. Other runs stay as they are.
   *
   * It is atomic, and safe to repeat.
   *
   * @param places for stores that have `endTurn`: the places of runs that have to keep an order, by handler id. A run keeps
   *   the place that it had when it was handed over.
   * @returns the state of the run of each of `handlerIds`
   */
  enqueue(
    event: InboxEvent,
    handlerIds: readonly string[],
    places?: ReadonlyMap<string, OrderPlace>,
  ): Promise<ReadonlyMap<string, RunState>>;

  /**
   * Takes due runs, which begin a new attempt under the request's lease: they are `running`, and due again when the lease
   * has ended. Of any number of concurrent calls, exactly one gets a run. Of the runs of one handler, it takes those first
   * that have been due the longest. It takes no runs while the endpoint is paused.
   *
   * Of the runs that have a place, it takes only the first of each handler and order key: the one whose event happened
   * first, of all that are not done or dead. It takes none while a run of this handler and key is running under a lease that
   * has not ended, nor while the first one is not due.
   *
   * Its time must not grow with the number of runs that are due, or that other handlers have.
   */
  takeDue(request: DueRequest): Promise<DueRuns>;

  /**
   * Says that an attempt at a run with a place has been settled, so that the next run of its order key can be taken. If this
   * is not called, the next run waits until the lease has ended.
   *
   * Optional: without it, no handler can set `order`.
   *
   * @returns whether the next one may be due now
   */
  endTurn?(key: InboxKey, handlerId: string, orderKey: string, lease: InboxLease): Promise<boolean>;

  /**
   * Renews the lease of a run for `lease.durationMs` from now on, if the run is `running` under it. The run is due again
   * when the lease has ended.
   *
   * @returns whether the lease still holds the run
   */
  extend(key: InboxKey, handlerId: string, lease: InboxLease): Promise<boolean>;

  /**
   * How many runs of handlers other than these have been due for at least `dueForMs`, by handler id: workers that have
   * only these handlers cannot take them.
   */
  stranded(
    endpoint: string,
    handlerIds: readonly string[],
    dueForMs: number,
  ): Promise<ReadonlyMap<string, number>>;

  /** Stops all workers from taking runs of an endpoint, or lets them take runs again. A restart does not change this. */
  setPaused(endpoint: string, isPaused: boolean): Promise<void>;

  /** Whether an endpoint is paused. */
  isPaused(endpoint: string): Promise<boolean>;
}

/** The place of a run among those that have to keep an order. */
export interface OrderPlace {
  /** Runs of a handler with the same key keep their order. At most 64 letters, digits, `-` and `_`. */
  readonly key: string;
  /** When the event happened, in microseconds since 1970. */
  readonly occurredAt: number;
}

/** Which due runs a worker takes. */
export interface DueRequest {
  readonly endpoint: string;
  /** The handlers that the worker has. It gets no runs of others. */
  readonly handlerIds: readonly string[];
  /** How many runs to take at most. */
  readonly limit: number;
  readonly lease: InboxLease;
}

/** The runs that a worker took. */
export interface DueRuns {
  readonly runs: readonly DueRun[];
  /** Whether the endpoint is paused, so that there are no runs. */
  readonly isPaused: boolean;
}

/** A run that a worker took, with its event. */
export interface DueRun extends Omit<InboxEvent, 'payload'> {
  readonly handlerId: string;
  /** Undefined if the store no longer has it, for example because it was erased. The run cannot be executed then. */
  readonly payload?: Uint8Array | undefined;
  /** When the event was first received, by the store's clock. */
  readonly receivedAt: Date;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** The number of this attempt among those of workers, from 1. A delivery's claim and `reopen` restart the count. */
  readonly workerAttempt: number;
  /** Why the attempt before it failed. Without it, that attempt has no result, or there was none. */
  readonly lastError?: RunError;
  /** The key of the run's place, if it has one. */
  readonly orderKey?: string;
  /** Why the store cannot read the payload, if so. There is no payload then, and the attempt fails with this error. */
  readonly unreadable?: PayloadUnreadableError;
}

/** The methods that every store must have. */
export const INBOX_METHODS = [
  'claim',
  'settle',
  'payload',
  'reopen',
  'dismiss',
  'stats',
  'get',
  'list',
  'count',
  'prune',
  'ping',
  'close',
] as const satisfies (keyof InboxStore)[];

/** The methods that a store needs for workers, next to those of every store. */
export const WORK_METHODS = [
  'enqueue',
  'takeDue',
  'extend',
  'stranded',
  'setPaused',
  'isPaused',
] as const satisfies (keyof InboxWorkStore)[];

/** Whether workers can take runs from a store. */
export function isWorkStore(store: InboxStore): store is InboxWorkStore {
  return WORK_METHODS.every((method) => typeof Reflect.get(store, method) === 'function');
}

/**
 * An inbox that remembers how far the recovery of each endpoint has come: what `ScalekitRecoveryModule` needs. A store has
 * either both methods or neither of them.
 *
 * The **checkpoint** of an endpoint is the time up to which all events are in the inbox. Deliveries never move it: an event
 * that arrives says nothing about those before it.
 */
export interface InboxRecoveryStore extends InboxStore {
  /**
   * Lets one process at a time recover the events of an endpoint, for `lease.durationMs` from now on. It gets the right
   * unless another process has it under a lease that has not ended. It is atomic, also across processes.
   *
   * It can be repeated with the same token, which renews the lease.
   *
   * @returns the checkpoint, if there is one; undefined if another process has the right
   */
  beginRecovery(endpoint: string, lease: InboxLease): Promise<RecoveryStart | undefined>;

  /**
   * Ends a recovery, so that another process can begin one at once. If another process has taken over since, it does
   * nothing. It can be repeated under the same lease.
   *
   * @param checkpoint moves the checkpoint, but never back; by default it stays where it is
   * @returns whether the lease was still held
   */
  endRecovery(endpoint: string, lease: InboxLease, checkpoint?: Date): Promise<boolean>;
}

/** What a process that may recover needs to know. */
export interface RecoveryStart {
  /** The time up to which all events are in the inbox. Undefined before the first recovery has ended. */
  readonly checkpoint?: Date;
}

/** The methods that a store needs for recovery, next to those of every store. */
export const RECOVERY_METHODS = [
  'beginRecovery',
  'endRecovery',
] as const satisfies (keyof InboxRecoveryStore)[];

/** Whether a store remembers how far a recovery has come. */
export function isRecoveryStore(store: InboxStore): store is InboxRecoveryStore {
  return RECOVERY_METHODS.every((method) => typeof Reflect.get(store, method) === 'function');
}

/** An inbox that encrypts payloads, and can encrypt again those that are plain or have another key. */
export interface InboxEncryptionStore extends InboxStore {
  /**
   * Encrypts the payloads of a page of entries with the store's first key, if they are plain or have another key. It passes over
   * entries without a payload. The pages are those of `list` without a filter: follow `nextCursor` to the end, or continue from it
   * later.
   *
   * It is safe while events are delivered, handled and deleted, and safe to repeat.
   *
   * @throws ScalekitWebhooksConfigurationError when the store does not encrypt, or the cursor is invalid
   */
  reencrypt(page?: InboxPageRequest): Promise<ReencryptedPage>;
}

/** What happened to the payloads of a page. */
export interface ReencryptedPage {
  /** How many now have the first key, and did not before. */
  readonly rewritten: number;
  /** How many had the first key before, have no payload, or were replaced meanwhile. */
  readonly unchanged: number;
  /** The events whose payload cannot be read: their key is missing, or they were changed. They stay as they are. */
  readonly unreadable: readonly InboxKey[];
  /** The cursor of the next page, or undefined if this was the last one. */
  readonly nextCursor?: string;
}

/** Whether a store can encrypt payloads again. */
export function isEncryptionStore(store: InboxStore): store is InboxEncryptionStore {
  return typeof Reflect.get(store, 'reencrypt') === 'function';
}
