import {
  describeValue,
  integerUpTo,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requireDate,
  requireText,
} from '../errors/settings.js';

/** Identifies an event in the inbox: each endpoint has its own events. */
export interface InboxKey {
  /** The name of the endpoint that received the event. */
  readonly endpoint: string;
  /** The event's own id: `evt_…`. */
  readonly eventId: string;
}

/** An error as the inbox keeps it. It never contains a payload. */
export interface RunError {
  readonly name: string;
  readonly message: string;
}

/**
 * The states of a run: `queued` waits for a worker, `running` is claimed, `done` succeeded, `failed` will be retried, `dead`
 * will not be retried.
 */
export const RUN_STATES = ['queued', 'running', 'done', 'failed', 'dead'] as const;

/** The states of runs that an operator may have to look at. Done runs are by far the most, and no index counts them. */
export const OPEN_STATES: readonly RunState[] = ['queued', 'running', 'failed', 'dead'];

/** The state of a run. */
export type RunState = (typeof RUN_STATES)[number];

/** `stale`: the handler did not run, because a newer event of the same entity was done. Only `latestOnly` handlers skip events. */
export type RunNote = 'stale';

/** An event's record in the inbox, with its runs. It never contains the payload. */
export interface InboxEntry extends InboxKey {
  readonly type: string;
  /** When it happened in Scalekit, as text, exactly as the event states it. */
  readonly occurredAt: string;
  /** The id of the organization that it belongs to, such as `org_1`. Undefined if it belongs to none. */
  readonly organizationId?: string;
  /** What it is about, as `scalekitEventEntity` writes it, such as `user:usr_1`. */
  readonly entity?: string;
  /** When it was first received, by the store's clock. */
  readonly receivedAt: Date;
  /** When its payload and the texts of its errors were erased. Undefined if they were not. */
  readonly erasedAt?: Date;
  readonly runs: readonly InboxRun[];
}

/** Whose entries to erase: those of an organization, or those of an entity. Exactly one of the two is set. */
export type ErasureTarget =
  | { readonly organizationId: string; readonly entity?: undefined }
  | { readonly entity: string; readonly organizationId?: undefined };

/** Which entries to erase. Without an endpoint, those of all endpoints. */
export type InboxErasure = { readonly endpoint?: string | undefined } & ErasureTarget;

/** A run of an entry. */
export interface InboxRun {
  readonly handlerId: string;
  readonly state: RunState;
  /** How many attempts have begun. */
  readonly attempts: number;
  /** When the run was last claimed, settled or reopened. */
  readonly updatedAt: Date;
  /** Why the last attempt failed. A run that is `done` and has an error was dismissed. */
  readonly error?: RunError;
  /** Why the handler did not run, although the run is `done`. */
  readonly note?: RunNote;
}

/** How many runs of one handler are in one state. */
export interface InboxRunCount {
  readonly endpoint: string;
  readonly handlerId: string;
  readonly state: RunState;
  readonly count: number;
  /** When the oldest of their events was received, by the store's clock. */
  readonly oldestReceivedAt: Date;
}

/**
 * Which entries to read. An entry must match every condition that is set. One and the same run must match `state`, `handler`
 * and `error`. Texts are compared exactly, except for `error`.
 */
export interface InboxFilter {
  readonly endpoint?: string;
  readonly type?: string;
  /** Entries with a run in this state. */
  readonly state?: RunState;
  /** Entries with a run of the handler with this id. */
  readonly handler?: string;
  /** Entries of this organization, such as `org_1`. */
  readonly organizationId?: string;
  /** Entries that are about this entity, as `scalekitEventEntity` returns it, such as `user:usr_1`. */
  readonly entity?: string;
  /** Entries that were received at this time or later, by the store's clock. */
  readonly receivedAfter?: Date;
  /** Entries that were received before this time, by the store's clock. */
  readonly receivedBefore?: Date;
  /** Entries with a run whose error has this text in its name or its message. The case of `A` to `Z` does not matter. */
  readonly error?: string;
}

/** Which page to read. */
export interface InboxPageRequest {
  /**
   * The maximum number of entries on the page, up to 1000.
   * @default 50
   */
  readonly limit?: number;
  /** The `nextCursor` of the previous page. By default, the page starts at the oldest entry. */
  readonly cursor?: string;
}

/** A page of entries. */
export interface InboxPage {
  readonly entries: readonly InboxEntry[];
  /** The cursor of the next page, or undefined if this is the last one. */
  readonly nextCursor?: string;
}

/** How many entries a page holds by default. */
export const DEFAULT_PAGE_SIZE = 50;

/** How many entries a page holds at most. */
export const LARGEST_PAGE = 1000;

/** The checks of a filter within one endpoint. */
export const FILTER_CHECKS: OptionChecks<Omit<InboxFilter, 'endpoint'>> = {
  type: optional(requireText),
  state: optional(oneOf(RUN_STATES)),
  handler: optional(requireText),
  organizationId: optional(requireText),
  entity: optional(requireText),
  receivedAfter: optional(requireDate),
  receivedBefore: optional(requireDate),
  error: optional(requireText),
};

/** Whether an event meets the conditions of a filter that are about the event itself. */
export function eventMatches(
  filter: InboxFilter,
  event: Pick<InboxEntry, 'endpoint' | 'type' | 'organizationId' | 'entity'> & { receivedAt: Date | number },
): boolean {
  const { receivedAfter, receivedBefore } = filter;
  return (
    (['endpoint', 'type', 'organizationId', 'entity'] as const).every(
      (name) => filter[name] === undefined || filter[name] === event[name],
    ) &&
    (receivedAfter === undefined || Number(event.receivedAt) >= receivedAfter.getTime()) &&
    (receivedBefore === undefined || Number(event.receivedAt) < receivedBefore.getTime())
  );
}

/** Whether a run meets the conditions of a filter that are about runs. */
export function runMatches(
  { state, handler, error }: InboxFilter,
  run: Pick<InboxRun, 'handlerId' | 'state' | 'error'>,
): boolean {
  if (state !== undefined && state !== run.state) return false;
  if (handler !== undefined && handler !== run.handlerId) return false;
  if (error === undefined) return true;
  if (run.error === undefined) return false;
  const { name, message } = run.error;
  return [name, message].some((text) => foldCase(text).includes(foldCase(error)));
}

/** Whether a filter has conditions about runs, so that an entry without runs does not match. */
export function isAboutRuns({ state, handler, error }: InboxFilter): boolean {
  return state !== undefined || handler !== undefined || error !== undefined;
}

/** Only these letters, because databases do not agree on the others. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The checks of a page request. Each store checks the cursor further: only it knows what its cursors look like. */
export const PAGE_CHECKS: OptionChecks<InboxPageRequest> = {
  limit: optional(integerUpTo(LARGEST_PAGE)),
  cursor: optional(requireText),
};

/**
 * Reads a cursor that is a position in the order of entries.
 *
 * @throws ScalekitWebhooksConfigurationError when the cursor is not the `nextCursor` of an earlier page
 */
export function positionOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  return refuseSetting(
    'cursor',
    `cursor must be the nextCursor of an earlier page; found ${describeValue(cursor)}.`,
  );
}

/** Counts entries page by page, for stores that have to look at each. */
export async function countPages(list: ListPage): Promise<number> {
  let count = 0;
  for await (const { entries } of allPages(list)) count += entries.length;
  return count;
}

type ListPage = (page: InboxPageRequest) => Promise<InboxPage>;

async function* allPages(list: ListPage): AsyncGenerator<InboxPage> {
  let cursor: string | undefined;
  do {
    const page = await list({ limit: LARGEST_PAGE, ...(cursor !== undefined && { cursor }) });
    yield page;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** Counts the runs that match a filter. If the filter is about more than the state, it reads all entries that match. */
export async function countRuns(
  store: {
    stats(endpoint?: string, states?: readonly RunState[]): Promise<readonly InboxRunCount[]>;
    list(filter: InboxFilter, page: InboxPageRequest): Promise<InboxPage>;
  },
  filter: InboxFilter,
): Promise<readonly InboxRunCount[]> {
  const { endpoint, state, ...others } = filter;
  if (Object.values(others).every((value) => value === undefined)) {
    return store.stats(endpoint, state && [state]);
  }
  const counter = new RunCounter();
  for await (const { entries } of allPages((page) => store.list(filter, page))) {
    for (const entry of entries) {
      counter.add({ ...entry, runs: entry.runs.filter((run) => runMatches(filter, run)) });
    }
  }
  return counter.counts;
}

/** Counts the runs of entries, for stores whose database cannot. */
export class RunCounter {
  readonly #counts = new Map<string, InboxRunCount>();

  constructor(private readonly states: readonly RunState[] = RUN_STATES) {}

  add({ endpoint, receivedAt, runs }: Pick<InboxEntry, 'endpoint' | 'receivedAt' | 'runs'>): void {
    for (const { handlerId, state } of runs) {
      if (!this.states.includes(state)) continue;
      const key = JSON.stringify([endpoint, handlerId, state]);
      const known = this.#counts.get(key);
      const oldestReceivedAt =
        known && known.oldestReceivedAt < receivedAt ? known.oldestReceivedAt : receivedAt;
      const count = (known?.count ?? 0) + 1;
      this.#counts.set(key, { endpoint, handlerId, state, count, oldestReceivedAt });
    }
  }

  get counts(): readonly InboxRunCount[] {
    return [...this.#counts.values()];
  }
}
