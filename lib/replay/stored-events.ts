import { ReceivedEvent } from '../dispatch/received-event.js';
import { TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
import { InboxReplayError } from '../errors/errors.js';
import { describeValue } from '../errors/settings.js';
import type { InboxEntry, InboxFilter, InboxKey } from '../inbox/inbox-queries.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import { parseReceivedEvent, type ValidationMode } from '../parse/parse-event.js';

const MESSAGES = {
  unknownEvent: (eventId: string, endpoint: string) =>
    `The inbox of the endpoint "${endpoint}" has no event ${describeValue(eventId)}. It was never received, or its retention has ended.`,
  replayWithoutPayload: (eventId: string) =>
    `The inbox does not keep the payload of ${describeValue(eventId)}, so the event cannot be replayed. Set the inbox option ` +
    'to a PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
  tooSlow: 'the inbox did not answer in time',
} as const;

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

/**
 * An event as it was first received, to be handled again.
 *
 * @throws InboxReplayError when the event is unknown, or its payload is not kept
 */
export async function receivedBefore(
  inbox: InboxStore,
  key: InboxKey,
  validation: ValidationMode,
  timeoutMs: number,
): Promise<ReceivedEvent> {
  const payload = await inTime(inbox.payload(key), timeoutMs);
  if (!payload) {
    throw (await inbox.get(key))
      ? new InboxReplayError('payload_missing', MESSAGES.replayWithoutPayload(key.eventId))
      : unknownEvent(key);
  }
  const rawBody = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return new ReceivedEvent(parseReceivedEvent(payload, validation), { rawBody });
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

/** @throws the error itself unless it says why an event cannot be replayed */
export function asReplayError(error: unknown): InboxReplayError {
  if (error instanceof InboxReplayError) return error;
  throw error;
}
