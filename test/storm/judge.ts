import type { JournalLine } from './journal.js';
import { PLAIN } from './storm.settings.js';

/** When a service was down, in ms since 1970. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** What the storm left behind, and what happened during it. */
export interface Evidence {
  readonly eventIds: readonly string[];
  /** The events that were answered with a 2xx status at least once. */
  readonly acknowledged: ReadonlySet<string>;
  readonly lines: readonly JournalLine[];
  /** How many transactional effects each event has; undefined if the mode has no transactions. */
  readonly transactional?: ReadonlyMap<string, number>;
  readonly killed: ReadonlySet<number>;
  readonly outages: readonly Outage[];
}

/** Which promises were kept. */
export interface Verdict {
  /** Acknowledged events that lack the effect of a handler. */
  readonly lost: readonly string[];
  /** Events with more than one transactional effect. */
  readonly repeatedTransactional?: readonly string[];
  /** Plain effects beyond the first of each event. */
  readonly repeatedPlain: number;
  /** Attempts whose end was not recorded, because their process was killed or their store was down. */
  readonly cutByKill: number;
  readonly cutByOutage: number;
  /** Events with more repeated plain effects than attempts that were cut short after their effect. */
  readonly unexplained: readonly string[];
  /** Attempts that were taken over while they ran, and attempts whose end could not be recorded although all was up. */
  readonly lapsed: number;
  readonly unsettled: number;
}

// After an outage, clients take a while to connect again.
const RECOVERY_MS = 3000;

/** One attempt, as its process saw it. */
interface Attempt {
  readonly handlerId: string;
  readonly eventId: string;
  readonly pid: number;
  effect: boolean;
  end?: 'settled' | 'lapsed' | 'unsettled';
  endedAt: number;
}

export function judge({ eventIds, acknowledged, lines, transactional, killed, outages }: Evidence): Verdict {
  const attempts = attemptsOf(lines);
  const isCutByKill = ({ end, pid }: Attempt) => end === undefined && killed.has(pid);
  const isCutByOutage = ({ end, endedAt }: Attempt) =>
    end === 'unsettled' && outages.some(({ from, to }) => endedAt >= from && endedAt <= to + RECOVERY_MS);
  const isCut = (attempt: Attempt) => isCutByKill(attempt) || isCutByOutage(attempt);

  const withEffect = attempts.filter(({ handlerId, effect }) => handlerId === PLAIN && effect);
  const effects = countByEvent(withEffect);
  const cutAfterEffect = countByEvent(withEffect.filter(isCut));
  const surplus = (eventId: string) => Math.max(0, (effects.get(eventId) ?? 0) - 1);
  return {
    lost: eventIds.filter(
      (id) => acknowledged.has(id) && (!effects.has(id) || (transactional && !transactional.has(id))),
    ),
    ...(transactional && {
      repeatedTransactional: eventIds.filter((id) => (transactional.get(id) ?? 0) > 1),
    }),
    repeatedPlain: eventIds.reduce((sum, id) => sum + surplus(id), 0),
    cutByKill: attempts.filter(isCutByKill).length,
    cutByOutage: attempts.filter(isCutByOutage).length,
    unexplained: eventIds.filter((id) => surplus(id) > (cutAfterEffect.get(id) ?? 0)),
    lapsed: attempts.filter(({ end }) => end === 'lapsed').length,
    unsettled: attempts.filter((attempt) => attempt.end === 'unsettled' && !isCutByOutage(attempt)).length,
  };
}

function attemptsOf(lines: readonly JournalLine[]): Attempt[] {
  const attempts = new Map<string, Attempt>();
  for (const { pid, at, step, handlerId, eventId, attempt } of lines) {
    const key = `${pid} ${handlerId} ${eventId} ${attempt}`;
    // A claim that came too late is settled without an attempt.
    if (step !== 'begin' && !attempts.has(key)) continue;
    const found = attempts.get(key) ?? { handlerId, eventId, pid, effect: false, endedAt: 0 };
    attempts.set(key, found);
    if (step === 'effect') found.effect = true;
    else if (step !== 'begin') Object.assign(found, { end: step, endedAt: at });
  }
  return [...attempts.values()];
}

function countByEvent(attempts: readonly Attempt[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { eventId } of attempts) counts.set(eventId, (counts.get(eventId) ?? 0) + 1);
  return counts;
}
