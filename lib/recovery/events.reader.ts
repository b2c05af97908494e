import { backoffMs } from '../dispatch/timeout.js';
import { ScalekitRecoveryError } from '../errors/errors.js';
import type { RecoveryStart } from '../inbox/inbox-work.js';
import { toWebhookEvent } from '../parse/webhook-event.js';
import type {
  RecoverOptions,
  ResolvedRecoveryOptions,
  ScalekitEventsClient,
  ScalekitEventsFilter,
} from './recovery.options.js';

/** A time window in ms since 1970: from the first ms on, and before the last. */
export interface RecoveryWindow {
  readonly from: number;
  readonly until: number;
}

/** What a recovery reads. `warn` gets a text if events between the last recovery and this one are not read. */
export function windowOf(
  { settleMs, overlapMs, maxLookBackMs }: ResolvedRecoveryOptions,
  { since, until }: RecoverOptions,
  { checkpoint }: RecoveryStart,
  warn: (text: string) => void,
): RecoveryWindow {
  const now = Date.now();
  const end = until?.getTime() ?? now - settleMs;
  if (since) return { from: since.getTime(), until: end };
  const earliest = now - maxLookBackMs;
  const from = checkpoint ? checkpoint.getTime() - overlapMs : earliest;
  if (checkpoint && checkpoint.getTime() < earliest) warn(MESSAGES.gap(checkpoint, new Date(earliest)));
  return { from: Math.max(from, earliest), until: end };
}

/** An event as a webhook carries it. It may be invalid. */
export type ReadEvent = Readonly<Record<string, unknown>>;

const PAGE_SIZE = 100;
/** How many events are in memory at once, unless more of them happened in the same millisecond. */
const SLICE_SIZE = 1000;
/** The SDK itself gives up after 20 s, and tries up to four times. */
const REQUEST_TIMEOUT_MS = 120_000;
/** How often in a row the API, or the inbox, may fail. */
export const MAX_FAILURES = 6;
export const RETRY_BACKOFF = { type: 'exponential', delayMs: 1000 } as const;
const MAX_RESTARTS = 10;

/** Reads the Events API, which lists events newest first and without a total, oldest first and in bounded memory. */
export class EventsReader {
  constructor(
    private readonly client: ScalekitEventsClient,
    private readonly filter: Pick<ScalekitEventsFilter, 'eventTypes' | 'organizationId'>,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The events of a window in slices, oldest first. A slice that is too large is halved by time, and its older half comes
   * first.
   *
   * @throws ScalekitRecoveryError when the API fails for too long, or the signal is aborted
   */
  async *slices(window: RecoveryWindow): AsyncGenerator<readonly ReadEvent[], void> {
    let last: ReadonlyMap<unknown, ReadEvent> = new Map();
    // The oldest is the last one.
    const waiting = [window];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { from, until } = next;
      const middle = Math.floor((from + until) / 2);
      const found = await this.#read(next, middle > from ? SLICE_SIZE : Number.POSITIVE_INFINITY);
      if (!found) {
        waiting.push({ from: middle, until }, { from, until: middle });
        continue;
      }
      const known = last;
      yield oldestFirst([...found].filter(([id]) => !known.has(id)).map(([, event]) => event));
      last = found;
    }
  }

  /** All events of a window by their ids, newest first, or undefined if there are more than the limit. */
  async #read(window: RecoveryWindow, limit: number): Promise<ReadonlyMap<unknown, ReadEvent> | undefined> {
    const found = new Map<unknown, ReadEvent>();
    let token = '';
    for (let failures = 0, restarts = 0; ; ) {
      this.#throwIfAborted();
      try {
        const page = await this.#ask(window, token);
        failures = 0;
        // While pages are read, new events shift them, so that an event can be on two of them.
        for (const event of page.events.map((one) => toWebhookEvent(Object(one)))) {
          found.set(event.id ?? event, event);
        }
        if (found.size > limit) return undefined;
        if (page.nextPageToken === '') return found;
        token = page.nextPageToken;
      } catch (cause) {
        this.#throwIfAborted();
        failures += 1;
        if (failures === MAX_FAILURES || restarts === MAX_RESTARTS) {
          throw new ScalekitRecoveryError('api_failed', MESSAGES.apiFailed(reasonOf(cause)), { cause });
        }
        if (failures > 1 && token !== '') {
          // The token may have become invalid.
          token = '';
          restarts += 1;
          found.clear();
        }
        await pause(backoffMs(RETRY_BACKOFF, failures), this.signal);
      }
    }
  }

  async #ask({ from, until }: RecoveryWindow, token: string) {
    // Whether the API includes the ends of the window is not documented, so the slices overlap.
    const filter = { ...this.filter, startTime: timestamp(from - 1), endTime: timestamp(until + 1) };
    const asked = (async () => this.client.events.listEventsPaginated(PAGE_SIZE, token, filter))();
    const answered = new AbortController();
    const over = pause(REQUEST_TIMEOUT_MS, AbortSignal.any([this.signal, answered.signal]));
    const page = await Promise.race([asked, over]).finally(() => answered.abort());
    if (!page) throw new Error(MESSAGES.noAnswer);
    const { events, nextPageToken = '' } = page;
    if (!Array.isArray(events)) throw new Error(MESSAGES.notAPage);
    if (token !== '' && nextPageToken === token) throw new Error(MESSAGES.samePage);
    return { events, nextPageToken };
  }

  #throwIfAborted(): void {
    if (this.signal.aborted) throw interrupted();
  }
}

/** What a recovery fails with when it must stop, because the application closes or another process has taken over. */
export function interrupted(): ScalekitRecoveryError {
  return new ScalekitRecoveryError('interrupted', MESSAGES.interrupted);
}

/** Waits, but not beyond the end of the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

function oldestFirst(newestFirst: readonly ReadEvent[]): readonly ReadEvent[] {
  const timed = newestFirst.map((event) => ({ event, ...timeOf(event) }));
  const compare = (one: (typeof timed)[number], other: (typeof timed)[number]) =>
    one.ms - other.ms || (one.decimals < other.decimals ? -1 : Number(one.decimals > other.decimals));
  // Events with the same time stay in the order of the API.
  return timed
    .reverse()
    .sort(compare)
    .map(({ event }) => event);
}

/** A time can be as precise as a nanosecond. An event without one is invalid, and comes first. */
function timeOf({ occurred_at }: ReadEvent): { ms: number; decimals: string } {
  const text = String(occurred_at);
  const [, decimals = ''] = /\.(\d+)/.exec(text) ?? [];
  return { ms: Date.parse(text) || 0, decimals: decimals.padEnd(9, '0') };
}

function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}

const MESSAGES = {
  gap: (checkpoint: Date, earliest: Date) =>
    `The last recovery ended at ${checkpoint.toISOString()}, which is longer ago than maxLookBackMs allows. Events before ${earliest.toISOString()} are not recovered; use recover({ since }) for them.`,
  apiFailed: (reason: string) =>
    `The Events API failed ${MAX_FAILURES} times in a row (${reason}). Nothing is lost: the next recovery reads the same events again.`,
  noAnswer: `no response within ${REQUEST_TIMEOUT_MS / 1000} s`,
  notAPage: 'the response has no list of events',
  samePage: 'it returned the same page twice',
  interrupted:
    'The recovery was interrupted, because the application is closing or another process has taken over. Nothing is lost: the next recovery reads the same events again.',
} as const;
