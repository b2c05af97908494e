import type {
  HandlerError,
  HandlerRow,
  HandlerRowState,
  InboxEntry,
  InboxKey,
} from '../inbox/inbox-entry.js';

const STATES: readonly HandlerRowState[] = ['running', 'queued', 'done', 'failed', 'dead'];
const ROW = 'row:';

/** An event's hash as people read it, or undefined where Redis has none. */
export function toInboxEntry(
  { endpoint, eventId }: InboxKey,
  hash: Readonly<Record<string, string>>,
): InboxEntry | undefined {
  const { type, occurredAt, receivedAt } = hash;
  if (type === undefined || occurredAt === undefined || receivedAt === undefined) return undefined;
  const handlers = Object.keys(hash)
    .filter((field) => field.startsWith(ROW))
    .map((field) => toRow(field.slice(ROW.length), hash))
    .sort((one, other) => one.position - other.position)
    .map(({ row }) => row);
  return {
    endpoint,
    eventId,
    type,
    occurredAt,
    receivedAt: new Date(Math.floor(Number(receivedAt) / 1000)),
    handlers,
  };
}

function toRow(
  handlerId: string,
  hash: Readonly<Record<string, string>>,
): { row: HandlerRow; position: number } {
  const [state, attempts, updatedAt, position] = hash[ROW + handlerId]?.split(' ') ?? [];
  const error = toError(hash[`error:${handlerId}`]);
  const row = {
    handlerId,
    state: toState(state),
    attempts: Number(attempts),
    updatedAt: new Date(Number(updatedAt)),
    ...(error && { error }),
  };
  return { row, position: Number(position) };
}

/** `failed` where another version of this library wrote a state that this one does not know. */
function toState(text: string | undefined): HandlerRowState {
  return STATES.find((state) => state === text) ?? 'failed';
}

function toError(json: string | undefined): HandlerError | undefined {
  if (json === undefined) return undefined;
  const { name, message }: Record<string, unknown> = JSON.parse(json);
  return { name: String(name), message: String(message) };
}
