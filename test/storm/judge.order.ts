import type { JournalLine } from './journal.js';
import { HANDLER_TIMEOUT_MS, ORDERED, runKey } from './storm.settings.js';

/** An event that was delivered, and its place in its line. */
export interface OrderedEvent {
  readonly id: string;
  readonly entity?: string | undefined;
  readonly occurredAt: number;
}

/** What the storm left behind of the handler that keeps an order. */
export interface OrderEvidence {
  readonly events: readonly OrderedEvent[];
  /** When each event was first answered with a 2xx status. From then on, workers see its run. */
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly lines: readonly JournalLine[];
  /** The events in the order in which their effects were committed; undefined if the mode keeps no order. */
  readonly handled?: readonly string[] | undefined;
}

/** Whether the order was kept. Runs are named by their `runKey`. */
export interface OrderVerdict {
  /** Runs that were executed while another one of their entity was. */
  readonly overlapping: readonly string[];
  /** Runs that a worker took although an older one of their entity was waiting. */
  readonly overtaking: readonly string[];
  /** Events that arrived after a newer one of their entity was taken, so that they could not come first. */
  readonly late: number;
  /** Pairs of events of one entity. Without any, nothing was checked. */
  readonly pairs: number;
}

// The lease of a run ends at the earliest when its handler has had twice its time.
const LEASE_MS = 2 * HANDLER_TIMEOUT_MS;

/** One attempt at a run of the handler. */
interface Attempt {
  readonly eventId: string;
  /** When its worker asked for runs. */
  readonly takenAt: number;
  readonly beganAt: number;
  committingAt?: number;
  /** When its end was first to be recorded. Missing if its process was killed before. */
  settlingAt?: number;
}

export function judgeOrder({ events, acknowledged, lines, handled = [] }: OrderEvidence): OrderVerdict {
  const attempts = attemptsByEvent(lines);
  const position = new Map(handled.map((id, index) => [id, index]));
  const attemptsAt = ({ id }: OrderedEvent) => attempts.get(id) ?? [];
  const overlapping: string[] = [];
  const overtaking: string[] = [];
  let late = 0;
  let pairs = 0;
  for (const line of linesOf(events)) {
    overlapping.push(...overlaps(line.flatMap(attemptsAt)));
    for (const [index, newer] of line.entries()) {
      for (const older of line.slice(0, index)) {
        pairs += 1;
        const arrivedAt = acknowledged.get(older.id) ?? Infinity;
        const isInverted = (position.get(newer.id) ?? Infinity) < (position.get(older.id) ?? Infinity);
        const waitedFor = (attempt: Attempt) => attempt.takenAt > arrivedAt;
        const hadItsTurn = ({ beganAt }: Attempt) =>
          attemptsAt(older).some(({ committingAt = Infinity }) => committingAt <= beganAt);
        // Of several attempts that were about to commit, it is not known which one did.
        const commits = attemptsAt(newer).filter(({ committingAt }) => committingAt !== undefined);
        if (
          (isInverted && commits.length > 0 && commits.every(waitedFor)) ||
          attemptsAt(newer).some((attempt) => waitedFor(attempt) && !hadItsTurn(attempt))
        ) {
          overtaking.push(runKey(ORDERED, newer.id));
        } else if (isInverted) late += 1;
      }
    }
  }
  return { overlapping: [...new Set(overlapping)], overtaking: [...new Set(overtaking)], late, pairs };
}

/** The events of each entity, oldest first. */
function linesOf(events: readonly OrderedEvent[]): OrderedEvent[][] {
  const lines = new Map<string, OrderedEvent[]>();
  for (const event of events) {
    if (event.entity === undefined) continue;
    lines.set(event.entity, [...(lines.get(event.entity) ?? []), event]);
  }
  return [...lines.values()].map((line) => line.sort((one, other) => one.occurredAt - other.occurredAt));
}

/** The runs of one entity that began while an attempt at another one was in progress. */
function overlaps(attempts: readonly Attempt[]): string[] {
  let busyUntil = 0;
  return [...attempts]
    .sort((one, other) => one.beganAt - other.beganAt)
    .flatMap(({ eventId, takenAt, beganAt, committingAt = beganAt, settlingAt = committingAt }) => {
      const isTooEarly = beganAt < busyUntil;
      busyUntil = Math.max(busyUntil, Math.min(settlingAt, takenAt + LEASE_MS));
      return isTooEarly ? runKey(ORDERED, eventId) : [];
    });
}

function attemptsByEvent(lines: readonly JournalLine[]): Map<string, Attempt[]> {
  const attempts = new Map<string, Attempt>();
  const takenAt = new Map<string, number>();
  for (const { pid, at, step, handlerId, eventId, attempt } of lines) {
    if (handlerId !== ORDERED) continue;
    const key = `${pid} ${eventId} ${attempt}`;
    const found = attempts.get(key);
    if (step === 'taken') takenAt.set(key, at);
    else if (step === 'begin') attempts.set(key, { eventId, takenAt: takenAt.get(key) ?? at, beganAt: at });
    else if (found && step === 'committing') found.committingAt = at;
    else if (found && step === 'settling') found.settlingAt ??= at;
  }
  const byEvent = new Map<string, Attempt[]>();
  for (const found of attempts.values()) {
    byEvent.set(found.eventId, [...(byEvent.get(found.eventId) ?? []), found]);
  }
  return byEvent;
}
