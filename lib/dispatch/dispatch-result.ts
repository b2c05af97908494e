import type { RunClaim, RunError, RunSettlement } from '../inbox/inbox-store.js';
import type { Outcome } from '../respond/outcome.js';

/**
 * How one handler fared in one delivery:
 *
 * - `done`: it ran and succeeded
 * - `queued`: its run is safely stored in a queue, by this delivery or an earlier one
 * - `failed`: it ran and threw; a retry runs it again
 * - `refused`: it ran and said that a retry cannot help; it is dead from now on
 * - `overdue`: it had not ended when its deadline passed
 * - `not_started`: the transport could not take it, or the inbox did not answer for it; a retry starts it
 * - `running`: another process runs it, or an earlier delivery's run has not ended
 * - `already_done`, `already_dead`: an earlier delivery settled it, so it did not run
 */
export type HandlerReportState =
  | 'done'
  | 'queued'
  | 'failed'
  | 'refused'
  | 'overdue'
  | 'not_started'
  | 'running'
  | 'already_done'
  | 'already_dead';

/** One line of a {@link DispatchResult}. */
export interface HandlerReport {
  readonly handlerId: string;
  readonly state: HandlerReportState;
  /** The error's name and message where the handler threw. */
  readonly error?: RunError;
}

const STATE_OF_SETTLEMENT = { done: 'done', queued: 'queued', failed: 'failed', dead: 'refused' } as const;

/** The report of a handler that was run. */
export function reportRun(handlerId: string, settlement: RunSettlement, overdue: boolean): HandlerReport {
  const state = overdue && settlement.state === 'failed' ? 'overdue' : STATE_OF_SETTLEMENT[settlement.state];
  return settlement.error ? { handlerId, state, error: settlement.error } : { handlerId, state };
}

const STATE_OF_CLAIM = {
  done: 'already_done',
  dead: 'already_dead',
  queued: 'queued',
  running: 'running',
  claimed: 'not_started',
} as const;

/** The report of a handler that was not run. */
export function reportClaim(handlerId: string, claim: RunClaim | undefined): HandlerReport {
  return { handlerId, state: STATE_OF_CLAIM[claim?.state ?? 'claimed'] };
}

/**
 * The outcome of a delivery, from how each of its handlers fared. What asks for a retry comes first, since an
 * acknowledged event is never sent again: a failure, then a run that has not started or ended, then a final refusal.
 */
export function aggregateOutcome(handlers: readonly HandlerReport[]): DispatchResult['outcome'] {
  const has = (state: HandlerReport['state']) => handlers.some((handler) => handler.state === state);
  if (handlers.length === 0) return 'ignored';
  if (has('failed')) return 'failed';
  if (has('running') || has('overdue') || has('not_started')) return 'unavailable';
  if (has('refused')) return 'unprocessable';
  if (has('queued')) return 'accepted';
  return has('done') ? 'processed' : 'duplicate';
}

/** What became of an event. */
export interface DispatchResult {
  readonly outcome: Extract<
    Outcome,
    'processed' | 'accepted' | 'duplicate' | 'ignored' | 'unprocessable' | 'failed' | 'unavailable'
  >;
  readonly handlers: readonly HandlerReport[];
  /** Where a retry should wait for a run elsewhere, in seconds. */
  readonly retryAfterSeconds?: number;
}
