/** What a simulation sent, and how the application responded. */
export interface SimulationReport {
  /** In the order in which they were passed to `send`. */
  readonly events: readonly SimulatedEvent[];
  readonly totals: SimulationTotals;
}

/** The totals of a {@link SimulationReport}. */
export interface SimulationTotals {
  readonly events: number;
  readonly acknowledged: number;
  readonly givenUp: number;
  readonly aborted: number;
  /** How many copies of the events were planned. */
  readonly copies: number;
  /** How many requests were sent. */
  readonly attempts: number;
  /** How many requests ended with each status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly durationMs: number;
}

/** One event and all requests that carried it. */
export interface SimulatedEvent {
  readonly id: string;
  readonly type: string;
  readonly state: SimulatedState;
  readonly copies: number;
  /** In the order in which they ended. */
  readonly attempts: readonly SimulatedAttempt[];
}

/**
 * The final state of an event:
 *
 * - `acknowledged`: at least one of its copies was acknowledged
 * - `given_up`: no copy was acknowledged, and all are out of attempts
 * - `aborted`: no copy was acknowledged before the simulation was aborted
 */
export type SimulatedState = 'acknowledged' | 'aborted' | 'given_up';

/** One request. */
export interface SimulatedAttempt {
  readonly eventId: string;
  /** Which copy of the event it carried, from 1. */
  readonly copy: number;
  /** Which attempt to deliver this copy it was, from 1. */
  readonly attempt: number;
  readonly url: string;
  readonly status: SimulatedStatus;
  /** When the request was sent, in milliseconds from the start of the simulation. */
  readonly sentAt: number;
  readonly durationMs: number;
  readonly acknowledged: boolean;
}

/** How a request ended: the HTTP status of the response, no complete response in time, or no connection. */
export type SimulatedStatus = number | 'timeout' | 'unreachable';

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
