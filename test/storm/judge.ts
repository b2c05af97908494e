import type { JournalLine } from './journal.js';
import { judgeOrder, type OrderEvidence, type OrderedEvent, type OrderVerdict } from './judge.order.js';
import {
  CREATING,
  ORDERED,
  PLAIN,
  REFUSING,
  runKey,
  SWALLOWED_TYPES,
  SWALLOWING,
  TRANSACTIONAL,
  UPDATING,
} from './storm.settings.js';

/** When a service was down, in ms since 1970. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** A run that is dead. */
export interface DeadRun {
  readonly handlerId: string;
  readonly eventId: string;
}

/** What the storm left behind, and what happened during it. */
export interface Evidence extends OrderEvidence {
  readonly events: readonly (OrderedEvent & { readonly type: string })[];
  /** How many transactional effects each run has, by its `runKey`; undefined if the mode has no transactions. */
  readonly transactional?: ReadonlyMap<string, number>;
  readonly dead: readonly DeadRun[];
  /** When each process was killed, by its id. */
  readonly killed: ReadonlyMap<number, number>;
  readonly outages: readonly Outage[];
}

/** Which promises were kept. Runs are named by their `runKey`. */
export interface Verdict extends OrderVerdict {
  /** Runs of acknowledged events without their effect. */
  readonly lost: readonly string[];
  /** Runs with more than one transactional effect. */
  readonly repeatedTransactional?: readonly string[];
  /** Plain effects beyond the first of each run. */
  readonly repeatedPlain: number;
  /** Attempts whose end was not recorded, because their process was killed or their store was down. */
  readonly cutByKill: number;
  readonly cutByOutage: number;
  /** Runs with more repeated plain effects than attempts that were cut short after their effect. */
  readonly unexplained: readonly string[];
  /** Attempts that were taken over while they ran, and attempts whose end could not be recorded although all was up. */
  readonly lapsed: number;
  readonly unsettled: number;
  /** Dead runs of the handler that refuses every event, and dead runs that could have succeeded. */
  readonly refused: number;
  readonly deadByAccident: readonly string[];
  /** Errors of the inbox's database, attempts that swallowed an error, and attempts that came too early. */
  readonly faults: number;
  readonly swallowed: number;
  readonly early: number;
}

// After an outage, clients take a while to connect again.
const RECOVERY_MS = 3000;
// A settlement that failed is tried again within a second.
const SETTLE_RETRY_MS = 1500;

/** One attempt, as its process saw it. */
interface Attempt {
  readonly run: string;
  readonly pid: number;
  effect: boolean;
  end?: 'settling' | 'settled' | 'lapsed' | 'unsettled';
  endedAt: number;
}

export function judge(evidence: Evidence): Verdict {
  const { lines, transactional, dead, killed, outages } = evidence;
  const attempts = attemptsOf(lines);
  const isCutByKill = ({ end, endedAt, pid }: Attempt) => {
    const killedAt = killed.get(pid);
    if (killedAt === undefined) return false;
    if (end === undefined || end === 'settling') return true;
    return end === 'unsettled' && killedAt < endedAt + SETTLE_RETRY_MS;
  };
  const isCutByOutage = ({ end, endedAt }: Attempt) =>
    end === 'unsettled' && outages.some(({ from, to }) => endedAt >= from && endedAt <= to + RECOVERY_MS);
  const isCut = (attempt: Attempt) => isCutByKill(attempt) || isCutByOutage(attempt);

  const withEffect = attempts.filter(({ effect }) => effect);
  const effects = countByRun(withEffect);
  const cutAfterEffect = countByRun(withEffect.filter(isCut));
  const surplus = (run: string) => (effects.get(run) ?? 0) - 1;
  const runs = [...effects.keys()];
  const deadByAccident = dead.filter(({ handlerId }) => handlerId !== REFUSING);
  const count = (searched: JournalLine['step']) => lines.filter(({ step }) => step === searched).length;
  return {
    ...judgeOrder(evidence),
    lost: expectedRuns(evidence).filter((run) => !effects.has(run) && !transactional?.has(run)),
    ...(transactional && {
      repeatedTransactional: [...transactional].flatMap(([run, times]) => (times > 1 ? run : [])),
    }),
    repeatedPlain: runs.reduce((sum, run) => sum + surplus(run), 0),
    cutByKill: attempts.filter(isCutByKill).length,
    cutByOutage: attempts.filter((attempt) => isCutByOutage(attempt) && !isCutByKill(attempt)).length,
    unexplained: runs.filter((run) => surplus(run) > (cutAfterEffect.get(run) ?? 0)),
    lapsed: attempts.filter(({ end }) => end === 'lapsed').length,
    unsettled: attempts.filter((attempt) => attempt.end === 'unsettled' && !isCut(attempt)).length,
    refused: dead.length - deadByAccident.length,
    deadByAccident: deadByAccident.map(({ handlerId, eventId }) => runKey(handlerId, eventId)),
    faults: count('fault'),
    swallowed: count('swallowed'),
    early: count('early'),
  };
}

/** The runs of acknowledged events that must have an effect. */
function expectedRuns({ events, acknowledged, transactional, handled }: Evidence): string[] {
  return events
    .filter(({ id }) => acknowledged.has(id))
    .flatMap(({ id, type }) => {
      const handlerIds = [
        PLAIN,
        type === 'user.created' && CREATING,
        type === 'user.updated' && UPDATING,
        transactional && TRANSACTIONAL,
        handled && ORDERED,
        transactional && SWALLOWED_TYPES.some((swallowed) => swallowed === type) && SWALLOWING,
      ];
      return handlerIds.flatMap((handlerId) => (handlerId ? runKey(handlerId, id) : []));
    });
}

function attemptsOf(lines: readonly JournalLine[]): Attempt[] {
  const attempts = new Map<string, Attempt>();
  for (const { pid, at, step, handlerId, eventId, attempt } of lines) {
    const run = runKey(handlerId, eventId);
    const key = `${pid} ${run} ${attempt}`;
    if (step === 'begin') {
      attempts.set(key, attempts.get(key) ?? { run, pid, effect: false, endedAt: 0 });
      continue;
    }
    const found = attempts.get(key);
    // A claim that came too late is settled without an attempt.
    if (!found) continue;
    if (step === 'effect') found.effect = true;
    else if (isEnd(step)) Object.assign(found, { end: step, endedAt: at });
  }
  return [...attempts.values()];
}

function isEnd(step: JournalLine['step']): step is NonNullable<Attempt['end']> {
  return step === 'settling' || step === 'settled' || step === 'lapsed' || step === 'unsettled';
}

function countByRun(attempts: readonly Attempt[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { run } of attempts) counts.set(run, (counts.get(run) ?? 0) + 1);
  return counts;
}
