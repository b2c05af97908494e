import type { JournalLine } from './journal.js';
import { PLAIN } from './storm.settings.js';

/** A time in which a service was down, in ms since 1970. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** What the storm left behind. */
export interface Evidence {
  readonly eventIds: readonly string[];
  /** The events that were answered with a 2xx at least once. */
  readonly acknowledged: ReadonlySet<string>;
  readonly lines: readonly JournalLine[];
  /** How often each event has its transactional effect; undefined where the mode has no transactions. */
  readonly transactional?: ReadonlyMap<string, number>;
  readonly killed: ReadonlySet<number>;
  readonly outages: readonly Outage[];
}

/** What became of the promises. */
export interface Verdict {
  /** Acknowledged events without the effect of one of their handlers. */
  readonly lost: readonly string[];
  /** Events whose transactional effect is there more than once. */
  readonly repeatedTransactional?: readonly string[];
  /** Plain effects beyond the first of each event. */
  readonly repeatedPlain: number;
  /** Runs that did not get to the record of their end since their process was killed, or their store was down. */
  readonly cutByKill: number;
  readonly cutByOutage: number;
  /** Events with more repeated plain effects than runs that were cut short after their effect. */
  readonly unexplained: readonly string[];
  /** Runs that were taken over while they ran, and runs whose end could not be recorded though all was up. */
  readonly lapsed: number;
  readonly unsettled: number;
}

// The connections to a service come back a little later than it does.
const RECOVERY_MS = 3000;

/** One run of a handler, as its process saw it. */
interface Run {
  readonly handlerId: string;
  readonly eventId: string;
  readonly pid: number;
  effect: boolean;
  end?: 'settled' | 'lapsed' | 'unsettled';
  endedAt: number;
}

export function judge({ eventIds, acknowledged, lines, transactional, killed, outages }: Evidence): Verdict {
  const runs = runsOf(lines);
  const isCutByKill = ({ end, pid }: Run) => end === undefined && killed.has(pid);
  const isCutByOutage = ({ end, endedAt }: Run) =>
    end === 'unsettled' && outages.some(({ from, to }) => endedAt >= from && endedAt <= to + RECOVERY_MS);
  const isCut = (run: Run) => isCutByKill(run) || isCutByOutage(run);

  const withEffect = runs.filter(({ handlerId, effect }) => handlerId === PLAIN && effect);
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
    cutByKill: runs.filter(isCutByKill).length,
    cutByOutage: runs.filter(isCutByOutage).length,
    unexplained: eventIds.filter((id) => surplus(id) > (cutAfterEffect.get(id) ?? 0)),
    lapsed: runs.filter(({ end }) => end === 'lapsed').length,
    unsettled: runs.filter((run) => run.end === 'unsettled' && !isCutByOutage(run)).length,
  };
}

function runsOf(lines: readonly JournalLine[]): Run[] {
  const runs = new Map<string, Run>();
  for (const { pid, at, step, handlerId, eventId, attempt } of lines) {
    const key = `${pid} ${handlerId} ${eventId} ${attempt}`;
    // A claim that came too late is given back without a run.
    if (step !== 'begin' && !runs.has(key)) continue;
    const run = runs.get(key) ?? { handlerId, eventId, pid, effect: false, endedAt: 0 };
    runs.set(key, run);
    if (step === 'effect') run.effect = true;
    else if (step !== 'begin') Object.assign(run, { end: step, endedAt: at });
  }
  return [...runs.values()];
}

function countByEvent(runs: readonly Run[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { eventId } of runs) counts.set(eventId, (counts.get(eventId) ?? 0) + 1);
  return counts;
}
