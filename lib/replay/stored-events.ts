import { type DispatchResult, type ReceivedEvent, toReceived } from '../dispatch/received-event.js';
import { Pace, TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
import { InboxReplayError, isPayloadUnreadable } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  listOf,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requirePositiveInteger,
  requireText,
} from '../errors/settings.js';
import {
  countRuns,
  type ErasureTarget,
  FILTER_CHECKS,
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  type InboxRunCount,
  RUN_STATES,
  type RunState,
} from '../inbox/inbox-queries.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import type { ValidationMode } from '../parse/parse-event.js';

const MESSAGES = {
  unknownEvent: (eventId: string, endpoint: string) =>
    `The inbox of the endpoint "${endpoint}" has no event ${describeValue(eventId)}. It was never received, or its retention has ended.`,
  replayWithoutPayload: (eventId: string) =>
    `The inbox does not keep the payload of ${describeValue(eventId)}, so the event cannot be replayed. Set the inbox option ` +
    "to a PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore, without payloads: 'drop-when-done'.",
  replayOfErased: (eventId: string, erasedAt: string) =>
    `The payload of ${describeValue(eventId)} was erased at ${erasedAt}, so the event cannot be replayed. Dismiss its runs that are not done.`,
  notOneTarget: (found: number) =>
    `Erase either the entries of an organizationId or those of an entity; found ${found === 0 ? 'neither' : 'both'}.`,
  cannotErase: (inbox: string) =>
    `${inbox} cannot erase entries, because it has no erase(). Implement it as InboxStore describes, or use one of the stores of this package.`,
  tooSlow: 'the inbox did not answer in time',
  notARate: (setting: string, found: unknown) =>
    `${setting} is in events per second, from 0.001 to 1000; found ${describeValue(found)}.`,
} as const;

const { organizationId, entity } = FILTER_CHECKS;
const ERASURE_CHECKS: OptionChecks<ErasureTarget> = { organizationId, entity };

/**
 * Erases entries of an endpoint: see `ScalekitInbox.erase`.
 *
 * @throws ScalekitWebhooksConfigurationError unless the target has exactly one condition, or if the inbox cannot erase
 */
export async function eraseEntries(
  { name: endpoint, inbox }: { readonly name: string; readonly inbox: InboxStore },
  target: ErasureTarget,
): Promise<number> {
  const checked = checkOptions<ErasureTarget>(target, ERASURE_CHECKS);
  const given = Object.values(checked).filter((value) => value !== undefined);
  if (given.length !== 1) refuseSetting('target', MESSAGES.notOneTarget(given.length));
  if (!inbox.erase) return refuseSetting('inbox', MESSAGES.cannotErase(inbox.constructor.name));
  return inbox.erase({ ...checked, endpoint });
}

/**
 * Counts runs of an endpoint: see `ScalekitInbox.stats`.
 *
 * @throws ScalekitWebhooksConfigurationError when a state does not exist, or for an invalid filter
 */
export async function countOwnRuns(
  { name: endpoint, inbox }: { readonly name: string; readonly inbox: InboxStore },
  which: readonly RunState[] | Omit<InboxFilter, 'endpoint'> = {},
): Promise<readonly InboxRunCount[]> {
  if (isFilter(which)) return countRuns(inbox, { ...checkOptions(which, FILTER_CHECKS), endpoint });
  listOf(oneOf(RUN_STATES))('states', which);
  return inbox.stats(endpoint, which);
}

function isFilter<T>(which: readonly RunState[] | T): which is T {
  return typeof which === 'object' && !Array.isArray(which);
}

const PAGE_SIZE = 100;

/** The first `limit` entries that match, oldest first, including entries that arrive during the iteration. */
export async function* inboxEntries(
  store: InboxStore,
  filter: InboxFilter,
  limit: number,
): AsyncGenerator<InboxEntry, void> {
  let cursor: string | undefined;
  for (let left = limit; left > 0; ) {
    const page = await store.list(filter, { limit: Math.min(left, PAGE_SIZE), ...(cursor && { cursor }) });
    yield* page.entries;
    left -= page.entries.length;
    cursor = page.nextCursor;
    if (cursor === undefined) return;
  }
}

/** How events are replayed. */
export interface ReplayOptions {
  /**
   * The ids of the handlers to run. They run even if they are done; no other handler runs.
   * @default every handler of the event that is not done
   */
  readonly handlers?: readonly string[];
  /**
   * How many events to replay at most, the oldest first. Only a replay by filter needs it.
   * @default all that match when the replay begins
   */
  readonly limit?: number;
  /**
   * How many events to replay per second at most, from 0.001 to 1000. Only a replay by filter needs it.
   * @default as many as the handlers can handle, one after another
   */
  readonly rate?: number;
}

export const REPLAY_CHECKS: OptionChecks<ReplayOptions> = {
  handlers: optional(listOf(requireText)),
  limit: optional(requirePositiveInteger),
  rate: optional(requireRate),
};

/**
 * How many replayed events had which outcome. `payload_missing` counts events whose payload the inbox does not keep,
 * `payload_erased` those whose payload was erased, and `payload_unreadable` those whose payload it cannot decrypt.
 */
export type ReplayCounts = Readonly<
  Partial<
    Record<DispatchResult['outcome'] | 'payload_missing' | 'payload_erased' | 'payload_unreadable', number>
  >
>;

/** Which events to replay, and how. */
interface BulkReplay extends Pick<ReplayOptions, 'limit' | 'rate'> {
  readonly inbox: InboxStore;
  readonly filter: InboxFilter;
  replay(eventId: string): Promise<DispatchResult>;
  /** Whether the application is closing, so that the replay has to stop. */
  isClosing(): boolean;
}

/**
 * Replays the events that match, oldest first.
 *
 * @throws InboxReplayError when none of them has a payload that can be read
 */
export async function replayAll({
  inbox,
  filter,
  limit,
  rate,
  replay,
  isClosing,
}: BulkReplay): Promise<ReplayCounts> {
  const counts: Record<string, number> = {};
  let missing: InboxReplayError | undefined;
  const pace = rate === undefined ? undefined : new Pace(rate);
  // Without a limit, a replay could continue as long as new deliveries fail.
  const most = limit ?? (await inbox.count(filter));
  for await (const { eventId } of inboxEntries(inbox, filter, most)) {
    await pace?.next(isClosing);
    if (isClosing()) break;
    const end = await replay(eventId).catch(asReplayError);
    if (!(end instanceof InboxReplayError)) counts[end.outcome] = (counts[end.outcome] ?? 0) + 1;
    // An event that is unknown by now was pruned after it was listed.
    else if (end.code.startsWith('payload_')) {
      missing = end;
      counts[end.code] = (counts[end.code] ?? 0) + 1;
    }
  }
  if (missing && Object.keys(counts).length === 1) throw missing;
  return counts;
}

function requireRate(setting: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0.001 && value <= 1000) return;
  refuseSetting(setting, MESSAGES.notARate(setting, value));
}

/**
 * An event as it was first received, to be handled again.
 *
 * @throws InboxReplayError when the event is unknown, or its payload is not kept, was erased or cannot be read
 */
export async function receivedBefore(
  inbox: InboxStore,
  key: InboxKey,
  validation: ValidationMode,
  timeoutMs: number,
): Promise<ReceivedEvent> {
  const payload = await inTime(inbox.payload(key), timeoutMs).catch(refuseUnreadable);
  if (!payload) {
    const entry = await inTime(inbox.get(key), timeoutMs);
    if (!entry) throw unknownEvent(key);
    throw entry.erasedAt
      ? new InboxReplayError(
          'payload_erased',
          MESSAGES.replayOfErased(key.eventId, entry.erasedAt.toISOString()),
        )
      : new InboxReplayError('payload_missing', MESSAGES.replayWithoutPayload(key.eventId));
  }
  return toReceived(payload, { isStored: true }, validation);
}

export function unknownEvent({ eventId, endpoint }: InboxKey): InboxReplayError {
  return new InboxReplayError('event_unknown', MESSAGES.unknownEvent(eventId, endpoint));
}

/** Waits for an answer of the inbox, but not forever. */
export async function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  const found = await waitAtMost(answer, timeoutMs);
  if (found === TIMED_OUT) throw new Error(MESSAGES.tooSlow);
  return found;
}

/** @throws InboxReplayError for a payload that cannot be read; the error itself otherwise */
function refuseUnreadable(error: unknown): never {
  if (!isPayloadUnreadable(error)) throw error;
  throw new InboxReplayError('payload_unreadable', error.message, { cause: error });
}

/** @throws the error itself unless it says why an event cannot be replayed */
function asReplayError(error: unknown): InboxReplayError {
  if (error instanceof InboxReplayError) return error;
  throw error;
}
