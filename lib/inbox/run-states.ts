import type { InboxLease, RunClaim, RunError, RunSettlement, RunState } from './inbox-store.js';

/** A handler's row as a store writes it. */
export interface RunRecord {
  state: RunState;
  attempts: number;
  updatedAt: number;
  leaseToken?: string;
  leaseEndsAt?: number;
  error?: RunError;
}

/** Whether a run is in progress: claimed, and its lease holds. */
export function isRunning(row: RunRecord, now: number): boolean {
  return row.state === 'running' && (row.leaseEndsAt ?? 0) > now;
}

/** Decides on one claim: the row as it is to be written (undefined: left as it is), and what the claimer is told. */
export function claimRun(
  row: RunRecord | undefined,
  lease: InboxLease,
  now: number,
): { row?: RunRecord; claim: RunClaim } {
  if (row && (row.state === 'done' || row.state === 'dead')) return { claim: { state: row.state } };
  if (row?.state === 'queued' && !lease.takesOver) return { claim: { state: 'queued' } };
  const handedOver = row?.state === 'running' && row.leaseToken === lease.takesOver;
  if (row && isRunning(row, now) && !handedOver) {
    return { claim: { state: 'running', leaseEndsInMs: (row.leaseEndsAt ?? now) - now } };
  }
  const attempt = (row?.attempts ?? 0) + (handedOver ? 0 : 1);
  return {
    row: {
      state: 'running',
      attempts: attempt,
      updatedAt: now,
      leaseToken: lease.token,
      leaseEndsAt: now + lease.durationMs,
    },
    claim: { state: 'claimed', attempt },
  };
}

/** The row after a run ended, or undefined where the run's lease was taken over by another claim. */
export function settleRun(
  row: RunRecord | undefined,
  settlement: RunSettlement,
  lease: InboxLease,
  now: number,
): RunRecord | undefined {
  if (row?.state !== 'running' || row.leaseToken !== lease.token) return undefined;
  // A run that was queued without an error has not begun.
  const attempts = settlement.state === 'queued' && !settlement.error ? row.attempts - 1 : row.attempts;
  const settled: RunRecord = { state: settlement.state, attempts, updatedAt: now };
  return settlement.error ? { ...settled, error: settlement.error } : settled;
}

/** The row as the next claim may take it, or undefined where it stays: a run is in progress, or it is done unasked. */
export function reopenRun(row: RunRecord, asked: boolean, now: number): RunRecord | undefined {
  if (isRunning(row, now) || (row.state === 'done' && !asked)) return undefined;
  return { ...row, state: 'failed', updatedAt: now };
}
