/** What came of an attempt: the HTTP status, no whole answer in time, or no connection. */
export type SimulatedStatus = number | 'timeout' | 'unreachable';

/** One request. */
export interface SimulatedAttempt {
  readonly eventId: string;
  /** Which copy of the event, from 1. */
  readonly copy: number;
  /** Which attempt at this copy, from 1. */
  readonly attempt: number;
  readonly url: string;
  readonly status: SimulatedStatus;
  /** When it was sent, in ms since the simulation began, and how long the answer took. */
  readonly sentAt: number;
  readonly durationMs: number;
  readonly acknowledged: boolean;
}

/**
 * What became of an event: at least one copy was acknowledged; or none was, and some are still open since the simulation
 * was aborted; or all attempts are spent.
 */
export type SimulatedState = 'acknowledged' | 'aborted' | 'given_up';

/** One event and everything that was sent of it. */
export interface SimulatedEvent {
  readonly id: string;
  readonly type: string;
  readonly state: SimulatedState;
  readonly copies: number;
  /** In the order of their ends. */
  readonly attempts: readonly SimulatedAttempt[];
}

/** The sums of a {@link SimulationReport}. */
export interface SimulationTotals {
  readonly events: number;
  readonly acknowledged: number;
  readonly givenUp: number;
  readonly aborted: number;
  /** Messages: each event counts once for each of its copies. */
  readonly copies: number;
  /** Requests: each copy counts once for each of its attempts. */
  readonly attempts: number;
  /** How many attempts ended with which status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly durationMs: number;
}

/** What a simulation did, and how the application answered. */
export interface SimulationReport {
  /** In the order in which they were given. */
  readonly events: readonly SimulatedEvent[];
  readonly totals: SimulationTotals;
}

export function totalsOf(events: readonly SimulatedEvent[], durationMs: number): SimulationTotals {
  const inState = (wanted: SimulatedState) => events.filter(({ state }) => state === wanted).length;
  const attempts = events.flatMap((event) => event.attempts);
  const statuses: Record<string, number> = {};
  for (const { status } of attempts) statuses[status] = (statuses[status] ?? 0) + 1;
  return {
    events: events.length,
    acknowledged: inState('acknowledged'),
    givenUp: inState('given_up'),
    aborted: inState('aborted'),
    copies: events.reduce((sum, { copies }) => sum + copies, 0),
    attempts: attempts.length,
    statuses,
    durationMs,
  };
}
