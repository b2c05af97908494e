import type {
  InboxEntry,
  InboxErasure,
  InboxFilter,
  InboxKey,
  InboxPage,
  InboxPageRequest,
  InboxRunCount,
  RunError,
  RunState,
} from './inbox-queries.js';

/**
 * The contract of an inbox: it records events and the runs of their handlers, so that each handler runs once per event.
 *
 * - An **entry** is an event's record in the inbox, with its runs.
 * - A **run** is one pair of event and handler. It has a state and counts its attempts.
 * - An **attempt** is one execution of a run. It begins when a claim gets the run, and ends when it is settled.
 * - A **lease** is the right to execute the runs of a claim for a limited time. It fences the result: when another
 *   claim has taken a run over, the attempt that lost its lease can no longer settle it.
 *
 * To write your own store, implement this interface and test it with `describeInboxStore` from
 * `nestjs-scalekit-webhooks/testing`. `InboxWorkStore` adds the methods for workers. These rules hold for all methods:
 *
 * - `claim`, `settle`, `reopen` and `dismiss` are atomic, also across processes: of any number of concurrent claims, exactly one
 *   gets a run.
 * - Durations are measured by the clock of the store, so that processes with different clocks agree.
 * - Endpoints, event ids, handler ids and error texts can contain any character. Event ids and handler ids are
 *   compared exactly, with upper and lower case kept apart.
 * - A method rejects when the store cannot be reached. The delivery then gets a 503, and Scalekit retries it.
 */
export interface InboxStore {
  /**
   * The application whose events the store contains, if other applications can use the same database. Jobs in a queue name
   * it, and `delivery.idempotencyKey` depends on it.
   */
  readonly application?: string;

  /**
   * Records the event if it is new, and claims each of the given handlers under `lease`, unless its run
   *
   * - is `done` or `dead`,
   * - is `running` under a lease that has not ended, or
   * - is `queued`.
   *
   * A lease with `takesOver` also gets runs that are `queued`, and runs that are `running` under the lease with that
   * token. The latter continue their attempt. A lease with `takesQueued` also gets runs that are `queued`.
   *
   * A claim can be repeated under the same lease, for example because its response was lost: runs that are `running` under
   * it are claimed again and continue their attempt. Every other claimed run begins a new attempt.
   *
   * A handler that the entry does not have yet gets its first attempt. Runs of other handlers stay as they are, and so
   * does everything that was recorded of the event first.
   *
   * @returns one claim for each of `handlerIds`
   */
  claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>>;

  /**
   * Records how attempts ended. It writes only runs that are `running` under `lease`, even if the lease has ended, and
   * skips the others.
   *
   * A settlement can be repeated under the same lease, for example because its response was lost: a run that was already
   * settled with this state under this lease counts as written, and stays as it is.
   *
   * A run that is settled as `queued` without an error has not been attempted: the attempt that its claim began is not
   * counted.
   *
   * @returns the handler ids of the runs that were written
   */
  settle(key: InboxKey, settlements: readonly RunSettlement[], lease: InboxLease): Promise<readonly string[]>;

  /**
   * Records a run as `done` inside a database transaction that the caller has opened, so that the handler's changes and
   * this record are committed together. Until the caller commits, `get` shows the run as it was before. A later `settle`
   * of the run as `done` under the same lease counts as repeated; as anything else, it writes nothing.
   *
   * Anything that is not an open transaction must be refused before anything is written: otherwise the record would be
   * committed at once, and a handler that fails after it would lose its event.
   *
   * Optional: only stores in a transactional database can implement it.
   *
   * @throws LeaseLostError when the lease no longer holds the run, or the run is done; the caller must then roll back
   * @throws ScalekitWebhooksConfigurationError when `transaction` is not an open transaction in the store's database
   */
  complete?(
    transaction: InboxTransaction,
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
  ): Promise<void>;

  /**
   * Opens a transaction in the store's own database, passes it to `work`, records the run as `done` in the transaction,
   * and commits. If any of these fails, everything is rolled back: neither the changes of `work` nor the record remain.
   *
   * The store decides what `work` gets, such as a connection or an entity manager. It documents which, and handlers
   * declare it as `Tx`. Operations of other deliveries never become part of the transaction. The promise of `work` rejects
   * at the deadline of the handler even if its statements go on: those must have no effect after the rollback.
   *
   * Optional: only stores in a transactional database can offer it.
   *
   * @returns what `work` returned, after the commit
   * @throws the error of `work`, or of the database
   * @throws LeaseLostError when the lease no longer holds the run, or the run is done
   * @throws TransactionNotCommittedError when the database rolled back instead of committing
   */
  transaction?<Tx, Result>(
    key: InboxKey,
    handlerId: string,
    lease: InboxLease,
    work: (tx: Tx) => Promise<Result>,
  ): Promise<Result>;

  /**
   * Asks whether a claimed run may continue, for handlers that handle only the newest event of an entity. Of the runs of a
   * handler and an entity, the one that was `admitted` last has the entity until its attempt ends: until it is settled, or
   * its lease has ended. The store remembers when the newest event happened of those whose runs were admitted and are
   * done.
   *
   * - `stale`: a newer event is done. The store notes this in the run, and a settlement of the run as `done` keeps the
   *   note.
   * - `busy`: a run of another event has the entity, or the lease no longer holds the run. Ask again.
   * - `admitted`: the run has the entity now. If the lease of the run that had it has ended, that lease no longer holds
   *   that run: its attempt can no longer be settled or completed.
   *
   * It is atomic, and safe to repeat. An event that happened at the same time as the newest one is admitted.
   *
   * Optional: without it, no handler can set `latestOnly`.
   */
  admit?(key: InboxKey, handlerId: string, lease: InboxLease, entity: InboxEntity): Promise<Admission>;

  /** The payload of an event as first stored, or undefined. @throws PayloadUnreadableError if it cannot be decrypted */
  payload(key: InboxKey): Promise<Uint8Array | undefined>;

  /**
   * How an event arrived when it was first received, or undefined if the store does not know. Optional: a store that has it
   * keeps the payload and the `delivery` of each event, so that the jobs of a queue need not contain them.
   */
  delivery?(key: InboxKey): Promise<InboxDelivery | undefined>;

  /**
   * Makes runs `failed`, so that the next claim gets them. Runs with an attempt in progress stay as they are.
   *
   * @param handlerIds the runs to reopen, even if they are `done`; by default every run that is not `done`
   * @returns the handler ids of the runs that were reopened
   */
  reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]>;

  /**
   * Marks `dead` and `failed` runs that need no replay as `done`, without an attempt. They keep their error, which
   * distinguishes them from runs that succeeded. Other runs stay as they are.
   *
   * @param handlerIds the runs to dismiss; by default every run that is dead or failed
   * @returns the handler ids of the runs that were dismissed
   */
  dismiss(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]>;

  /**
   * How many runs there are, by endpoint, handler and state. With `endpoint`, only those of this endpoint. With `states`, only
   * those in these states: without `done`, the time that it takes should not grow with the number of runs that are done.
   */
  stats(endpoint?: string, states?: readonly RunState[]): Promise<readonly InboxRunCount[]>;

  /** One entry with its runs, or undefined if the store does not know the event. */
  get(key: InboxKey): Promise<InboxEntry | undefined>;

  /**
   * A page of the entries that match the filter, in the order in which the events were received. Following
   * `nextCursor` neither skips nor repeats an entry, even while entries are added or forgotten.
   */
  list(filter?: InboxFilter, page?: InboxPageRequest): Promise<InboxPage>;

  /** The number of entries that match the filter. */
  count(filter?: InboxFilter): Promise<number>;

  /**
   * Forgets the entries that were received before the given time, except those with an attempt in progress.
   *
   * @returns how many entries were forgotten
   */
  prune(before: Date): Promise<number>;

  /**
   * Erases the entries of an organization or an entity: their payloads, how they were delivered, and the messages of their
   * errors. What guards against duplicates stays: ids, states, attempts and times. An erased entry never gets a payload again,
   * and later settlements keep only the names of their errors.
   *
   * It works in batches, so that it holds no lock for long, and can be repeated. Optional: without it, nothing can be erased.
   *
   * @returns how many entries were erased, not counting those that were erased before
   */
  erase?(which: InboxErasure): Promise<number>;

  /**
   * Registers a function that is called with problems in the background, which no method call reports: for example, that
   * old events cannot be deleted. The module logs them as warnings. Only the function that was registered last is called,
   * at most once an hour for each problem.
   *
   * Optional: only stores that work in the background need it.
   *
   * @param report gets a text that says what happened and what to do, and the error that was its cause
   */
  onWarning?(report: InboxWarningReporter): void;

  /**
   * Resolves if the inbox can be used: it can be reached, has its tables, and may write. It changes no event. The module
   * calls it once at startup, and logs a rejection as a warning, so say what to do. Problems that do not keep the inbox
   * from working go to `onWarning`.
   *
   * @throws InboxUnusableError with one problem for each cause, or any other error
   */
  ping(): Promise<void>;

  /** Releases what the store opened itself, such as connections. It can be called more than once. */
  close(): Promise<void>;
}

/** Receives a problem that an inbox had in the background. */
export type InboxWarningReporter = (warning: string, cause?: unknown) => void;

/**
 * An open transaction, as database libraries represent it: the client or connection that holds it. A `pg` PoolClient, a
 * PGlite transaction, and a TypeORM EntityManager have `query`. The connections of SQLite have `prepare`.
 */
export type InboxTransaction = { query(...args: never[]): unknown } | { prepare(...args: never[]): unknown };

/** An event as the inbox records it. */
export interface InboxEvent extends InboxKey {
  readonly type: string;
  /** When it happened in Scalekit, as text, exactly as the event states it. */
  readonly occurredAt: string;
  /** The id of the organization that it belongs to, such as `org_1`, if it belongs to one. */
  readonly organizationId?: string;
  /** What it is about, as `scalekitEventEntity` writes it, such as `user:usr_1`. */
  readonly entity?: string;
  /** The bytes that were received. A store does not have to keep them, but without them it cannot replay events. */
  readonly payload: Uint8Array;
  /** Whether the payload was read from this inbox, so that the store does not redact it again. */
  readonly isStored?: boolean;
  /** How the event arrived, if a worker may need it. */
  readonly delivery?: InboxDelivery;
}

/** How an event arrived, for the workers that take its runs. */
export interface InboxDelivery {
  readonly id: string;
  /** The request's headers, without signatures and credentials. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** What observers want to have in the process that works on the runs, such as the context of a trace. */
  readonly carried?: Readonly<Record<string, string>>;
}

/** The right to execute the runs of a claim for a limited time. */
export interface InboxLease {
  /** Identifies the claimer. Each claim has its own token. A repeated claim has the same one. */
  readonly token: string;
  /** How long the lease lasts, in milliseconds from the claim, by the store's clock. */
  readonly durationMs: number;
  /** For a worker that takes runs over from a queue: the token of the lease under which the delivery queued them. */
  readonly takesOver?: string;
  /** For a delivery that executes its runs itself: whether it also gets those that wait for a worker. By default, it does not. */
  readonly takesQueued?: boolean;
  /** When a worker may take the runs over, in milliseconds from the claim, once the lease has ended. By default, never. */
  readonly retryInMs?: number;
}

/** What an event is about, and when the event happened. */
export interface InboxEntity {
  /** The entity, such as `user:usr_1`. It can contain any character. */
  readonly name: string;
  /** In microseconds since 1970. */
  readonly occurredAt: number;
}

/** Whether a run may continue: see `InboxStore.admit`. */
export type Admission = 'admitted' | 'stale' | 'busy';

/** What a claim says about one run. */
export type RunClaim =
  /** The claimer gets the run. `attempt` is the number of this attempt, from 1. */
  | { readonly state: 'claimed'; readonly attempt: number }
  /** Another claimer has it, for at most `leaseEndsInMs` milliseconds. */
  | { readonly state: 'running'; readonly leaseEndsInMs: number }
  | { readonly state: 'queued' | 'done' | 'dead' };

/** How one attempt ended. */
export interface RunSettlement {
  readonly handlerId: string;
  /** `queued` hands the run to a queue, whose worker claims it with `takesOver`. */
  readonly state: Exclude<RunState, 'running'>;
  /** Why the attempt failed. Without it, the store forgets the error of an earlier attempt. */
  readonly error?: RunError;
  /** When a worker may take a `failed` or `queued` run, if workers have it: in milliseconds from now. By default, at once. */
  readonly retryInMs?: number;
}
