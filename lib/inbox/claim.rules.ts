import type { HandlerError, HandlerRowState } from './inbox-entry.js';
import type { HandlerClaim, HandlerSettlement, InboxLease } from './inbox-store.js';

/** A handler's row as a store writes it. */
export interface LedgerRow {
  state: HandlerRowState;
  attempts: number;
  updatedAt: number;
  leaseToken?: string;
  leaseEndsAt?: number;
  error?: HandlerError;
}

/** Whether a run is in progress: claimed, and its lease holds. */
export function isRunning(row: LedgerRow, now: number): boolean {
  return row.state === 'running' && (row.leaseEndsAt ?? 0) > now;
}

/** Decides on one claim: the row as it is to be written (undefined: left as it is), and what the claimer is told. */
export function claimRow(
  row: LedgerRow | undefined,
  lease: InboxLease,
  now: number,
): { row?: LedgerRow; claim: HandlerClaim } {
  if (row && (row.state === 'done' || row.state === 'dead' || row.state === 'queued')) {
    return { claim: { state: row.state } };
  }
  if (row && isRunning(row, now)) {
    return { claim: { state: 'running', leaseEndsInMs: (row.leaseEndsAt ?? now) - now } };
  }
  const attempt = (row?.attempts ?? 0) + 1;
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
export function settleRow(
  row: LedgerRow | undefined,
  settlement: HandlerSettlement,
  lease: InboxLease,
  now: number,
): LedgerRow | undefined {
  if (row?.state !== 'running' || row.leaseToken !== lease.token) return undefined;
  const settled: LedgerRow = { state: settlement.state, attempts: row.attempts, updatedAt: now };
  return settlement.error ? { ...settled, error: settlement.error } : settled;
}
