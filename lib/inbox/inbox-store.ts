/** An event is known to the inbox by the endpoint that received it and the event's own id. */
export interface InboxKey {
  readonly endpoint: string;
  readonly eventId: string;
}

/** What an inbox keeps of an event. */
export interface InboxEvent extends InboxKey {
  readonly type: string;
  readonly occurredAt: string;
  /** The exact bytes that were received. A store that cannot replay may drop them. */
  readonly payload: Uint8Array;
}

/** A failed run as the inbox remembers it: never a payload. */
export interface RunError {
  readonly name: string;
  readonly message: string;
}

/**
 * The states of a run: `queued` waits to be started, `running` is in progress, `done` succeeded, `failed` will be
 * retried, `dead` will not.
 */
export const RUN_STATES = ['queued', 'running', 'done', 'failed', 'dead'] as const;

/** The state of one handler's run. */
export type RunState = (typeof RUN_STATES)[number];

/** How many entries a page holds unless the request says otherwise. */
export const DEFAULT_PAGE_SIZE = 50;

/** How long the durable inboxes remember an event: 30 days, which outlasts every retry schedule of Scalekit. */
export const DEFAULT_RETENTION_MS = 30 * 24 * 60 * 60 * 1000;

/** One handler's row of an inbox entry. */
export interface InboxRun {
  readonly handlerId: string;
  readonly state: RunState;
  /** How often the handler has been started for this event. */
  readonly attempts: number;
  readonly updatedAt: Date;
  readonly error?: RunError;
}

/** An event with the rows of its handlers, as people read it. */
export interface InboxEntry extends InboxKey {
  readonly type: string;
  readonly occurredAt: string;
  readonly receivedAt: Date;
  readonly runs: readonly InboxRun[];
}

/** The right to run handlers for a while. A run that outlives its lease can no longer write its result. */
export interface InboxLease {
  /** Identifies the claimer; unique for each claim. */
  readonly token: string;
  /** How long the claim holds, in ms, by the store's own clock. */
  readonly durationMs: number;
  /**
   * The token of the lease under which a delivery queued the run. With it, a queue's worker claims rows that are
   * queued, and rows that still run under that lease.
   */
  readonly takesOver?: string;
}

/** What a claim says of one handler. */
export type RunClaim =
  | { readonly state: 'claimed'; readonly attempt: number }
  | { readonly state: 'running'; readonly leaseEndsInMs: number }
  | { readonly state: 'queued' | 'done' | 'dead' };

/** How a claimed run ended. `queued` hands the run over to a transport's queue and keeps it claimed. */
export interface RunSettlement {
  readonly handlerId: string;
  readonly state: Exclude<RunState, 'running'>;
  readonly error?: RunError;
}

/** Which entries to read. All conditions that are given must hold. */
export interface InboxFilter {
  readonly endpoint?: string;
  readonly type?: string;
  /** Entries with at least one handler in this state. */
  readonly state?: RunState;
}

/** Where to read on, and how much at most. */
export interface InboxPageRequest {
  /** @default 50 */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

/** Entries in the order in which they were received. */
export interface InboxPage {
  readonly entries: readonly InboxEntry[];
  readonly nextCursor?: string;
}

/**
 * The ledger of events and of each handler's runs. An implementation must make `claim` and `settle` atomic:
 * of many claimers at once, each handler is given to one.
 */
export interface InboxStore {
  /**
   * Records the event if it is new, and claims each handler that has neither succeeded, nor died, nor is
   * queued, nor runs under a lease that still holds. Resolves to one claim for each handler id.
   */
  claim(
    event: InboxEvent,
    handlerIds: readonly string[],
    lease: InboxLease,
  ): Promise<ReadonlyMap<string, RunClaim>>;
  /**
   * Records how runs ended. Only rows that still belong to `lease` are written; resolves to their handler ids.
   */
  settle(key: InboxKey, settlements: readonly RunSettlement[], lease: InboxLease): Promise<readonly string[]>;
  /**
   * Records a success inside the caller's own database transaction, so that the effect and its record commit
   * together. Only stores that live in a transactional database have it. Rejects where the lease is lost, so that
   * the transaction is rolled back. A later `settle` of the same run as `done` counts as written.
   */
  complete?(transaction: unknown, key: InboxKey, handlerId: string, lease: InboxLease): Promise<void>;
  /** The bytes of an event that was received, or undefined where the store has none (any more). */
  payload(key: InboxKey): Promise<Uint8Array | undefined>;
  /**
   * Lets handlers run once more: their rows, unless a run is in progress, become `failed`, for the next claim to take.
   * Without ids, every row that is not done. Resolves to the ids of the rows that were changed.
   */
  reopen(key: InboxKey, handlerIds?: readonly string[]): Promise<readonly string[]>;
  /** One entry with its handlers' rows, or undefined. */
  get(key: InboxKey): Promise<InboxEntry | undefined>;
  /** A page of entries, oldest first. */
  list(filter?: InboxFilter, page?: InboxPageRequest): Promise<InboxPage>;
  /** How many entries match. */
  count(filter?: InboxFilter): Promise<number>;
  /** Forgets entries received before the given time, except those with a run in progress; resolves to how many. */
  prune(before: Date): Promise<number>;
  /** Resolves when the store can be reached, rejects when not. */
  ping(): Promise<void>;
  /** Releases what the store itself opened. */
  close(): Promise<void>;
}
