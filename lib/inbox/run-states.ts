import { createHash } from 'node:crypto';
import type { InboxKey, RunError, RunNote, RunState } from './inbox-queries.js';
import type { Admission, InboxEntity, InboxLease, RunClaim, RunSettlement } from './inbox-store.js';

/**
 * A run as a store keeps it. The functions below define all transitions between run states: a store reads a run,
 * passes it to one of them, and writes the run that it returns. Times are in milliseconds since 1970.
 */
export interface RunRecord {
  readonly state: RunState;
  readonly attempts: number;
  readonly updatedAt: number;
  /** The token of the lease under which the run was claimed last. It stays when the run is settled. */
  readonly leaseToken?: string;
  readonly leaseEndsAt?: number;
  readonly error?: RunError;
  readonly note?: RunNote;
  /** When workers may take it. Undefined if they may not, as for every run that is settled as done or dead. */
  readonly dueAt?: number;
  /** How many attempts workers have made since a delivery claimed the run, or it was reopened. */
  readonly workerAttempts: number;
}

/** The name of the only error whose message an erased entry keeps: it contains nothing of the event but its id. */
export const KEPT_ERROR = 'PayloadErasedError';

/** What an erased entry keeps of an error: its name. */
export function erasedError({ name, message }: RunError): RunError {
  return { name, message: name === KEPT_ERROR ? message : '' };
}

/** What an erased entry keeps of a run. */
export function erasedRun(run: RunRecord): RunRecord {
  return run.error ? { ...run, error: erasedError(run.error) } : run;
}

/** Whether an attempt is in progress: the run is claimed, and its lease has not ended. */
export function isRunning(run: RunRecord, now: number): boolean {
  return run.state === 'running' && (run.leaseEndsAt ?? 0) > now;
}

/** What a claim does to a run: the result for the claimer, and the run to write if the claimer gets it. */
export function claimRun(
  run: RunRecord | undefined,
  lease: InboxLease,
  now: number,
): { claim: RunClaim; run?: RunRecord } {
  if (run?.state === 'done' || run?.state === 'dead') return { claim: { state: run.state } };
  if (run?.state === 'queued' && !lease.takesOver && !lease.takesQueued)
    return { claim: { state: 'queued' } };
  const goesOn = run?.state === 'running' && continues(run, lease);
  if (run && isRunning(run, now) && !goesOn) {
    return { claim: { state: 'running', leaseEndsInMs: (run.leaseEndsAt ?? now) - now } };
  }
  const attempt = (run?.attempts ?? 0) + (goesOn ? 0 : 1);
  const leaseEndsAt = now + lease.durationMs;
  return {
    claim: { state: 'claimed', attempt },
    run: {
      state: 'running',
      attempts: attempt,
      updatedAt: now,
      leaseToken: lease.token,
      leaseEndsAt,
      dueAt: dueAfterClaim(run, lease, now),
      workerAttempts: (goesOn && run?.workerAttempts) || 0,
    },
  };
}

/** When workers may take a run that is claimed now, if at all: they had it before, or the claim hands it over. */
function dueAfterClaim(run: RunRecord | undefined, lease: InboxLease, now: number): number | undefined {
  if (lease.retryInMs !== undefined) return now + Math.max(lease.retryInMs, lease.durationMs);
  return run?.dueAt === undefined ? undefined : now + lease.durationMs;
}

/**
 * Whether a claim continues an attempt: a worker takes it over, or the claim is repeated because its response was
 * lost.
 */
function continues({ leaseToken }: RunRecord, { token, takesOver }: InboxLease): boolean {
  return leaseToken === token || leaseToken === takesOver;
}

/**
 * The run to write when an attempt has ended, or undefined if the lease no longer holds the run. A settlement that is
 * repeated, because its response was lost, leaves the run as it is.
 */
export function settleRun(
  run: RunRecord | undefined,
  settlement: RunSettlement,
  lease: InboxLease,
  now: number,
): RunRecord | undefined {
  if (!run || run.leaseToken !== lease.token) return undefined;
  if (run.state === settlement.state) return run;
  if (run.state !== 'running') return undefined;
  const { state, error, retryInMs } = settlement;
  // A run that is queued without an error has not been attempted yet.
  const uncounted = state === 'queued' && !error ? 1 : 0;
  const isOpen = state === 'failed' || state === 'queued';
  return {
    state,
    attempts: run.attempts - uncounted,
    updatedAt: now,
    leaseToken: lease.token,
    dueAt: isOpen && run.dueAt !== undefined ? now + (retryInMs ?? 0) : undefined,
    workerAttempts: Math.max(0, run.workerAttempts - uncounted),
    ...(error && { error }),
    ...(run.note && state === 'done' && { note: run.note }),
  };
}

/**
 * The run to write when its success is recorded before it is settled, or undefined if the lease no longer holds the run.
 * It keeps its lease, so that the settlement that follows is accepted.
 */
export function completeRun(
  run: RunRecord | undefined,
  lease: InboxLease,
  now: number,
): RunRecord | undefined {
  if (run?.state !== 'running' && run?.state !== 'done') return undefined;
  if (run.leaseToken !== lease.token) return undefined;
  return { ...run, state: 'done', updatedAt: now };
}

/**
 * The run to write when an operator dismisses it, or undefined if it is neither dead nor failed. It keeps its error, and
 * workers no longer have it.
 */
export function dismissRun(run: RunRecord, now: number): RunRecord | undefined {
  const { state, attempts, workerAttempts, error } = run;
  if (state !== 'dead' && state !== 'failed') return undefined;
  return { state: 'done', attempts, updatedAt: now, workerAttempts, ...(error && { error }) };
}

/**
 * The run to write so that the next claim gets it, or undefined if it must stay as it is: an attempt is in progress, or
 * the run is done and its handler was not `asked` for.
 */
export function reopenRun(run: RunRecord, asked: boolean, now: number): RunRecord | undefined {
  if (isRunning(run, now) || (run.state === 'done' && !asked)) return undefined;
  const { attempts, error } = run;
  const dueAt = run.dueAt === undefined ? undefined : now;
  return { state: 'failed', attempts, updatedAt: now, dueAt, workerAttempts: 0, ...(error && { error }) };
}

/** The run to write so that workers can take it, or undefined if they can already, or must not. */
export function enqueueRun(run: RunRecord | undefined, now: number): RunRecord | undefined {
  if (!run) return { state: 'queued', attempts: 0, updatedAt: now, dueAt: now, workerAttempts: 0 };
  if (run.state === 'done' || run.state === 'dead' || run.dueAt !== undefined) return undefined;
  if (run.state === 'running') return { ...run, dueAt: Math.max(run.leaseEndsAt ?? now, now) };
  return { ...run, state: 'queued', updatedAt: now, dueAt: now };
}

/** The run to write when a worker takes it, or undefined if it is not due. */
export function takeRun(run: RunRecord, lease: InboxLease, now: number): RunRecord | undefined {
  if (run.state === 'done' || run.dueAt === undefined || run.dueAt > now) return undefined;
  const leaseEndsAt = now + lease.durationMs;
  return {
    state: 'running',
    attempts: run.attempts + 1,
    updatedAt: now,
    leaseToken: lease.token,
    leaseEndsAt,
    dueAt: leaseEndsAt,
    workerAttempts: run.workerAttempts + 1,
  };
}

/** The run to write when its lease is renewed, or undefined if the lease no longer holds the run. */
export function extendRun(run: RunRecord | undefined, lease: InboxLease, now: number): RunRecord | undefined {
  if (run?.state !== 'running' || run.leaseToken !== lease.token) return undefined;
  const leaseEndsAt = now + lease.durationMs;
  return { ...run, leaseEndsAt, dueAt: run.dueAt === undefined ? undefined : leaseEndsAt };
}

/** Which run has an entity, or had it last. */
export interface EntityRecord {
  readonly eventId: string;
  readonly leaseToken: string;
  readonly occurredAt: number;
  /** When the newest event with a run that is done happened, in microseconds. The event of the last run may be newer. */
  readonly doneAt?: number | undefined;
}

/** Identifies an entity of a handler. It is short, whatever the ids are, and does not reveal them. */
export function entityKey(
  { endpoint }: Pick<InboxKey, 'endpoint'>,
  handlerId: string,
  entity: string,
): string {
  return createHash('sha256')
    .update(JSON.stringify([endpoint, handlerId, entity]))
    .digest('base64url');
}

// No lease has this token, so no settlement is accepted anymore.
const NO_LEASE = '';

/**
 * The result of asking for an entity: the answer, and the records to write.
 *
 * @param last the entity's record, and the run that it names
 * @param own the run that asks
 */
export function admitRun(
  last: { readonly record: EntityRecord; readonly run: RunRecord | undefined } | undefined,
  own: RunRecord | undefined,
  { eventId, lease, entity: { occurredAt } }: { eventId: string; lease: InboxLease; entity: InboxEntity },
  now: number,
): { admission: Admission; record?: EntityRecord; own?: RunRecord; last?: RunRecord } {
  if (own?.leaseToken !== lease.token || !isRunning(own, now)) return { admission: 'busy' };
  // An earlier attempt of the same event has ended. Otherwise, this one would not have the lease.
  const other = last?.record.eventId === eventId ? undefined : last;
  const attempt = other?.run?.leaseToken === other?.record.leaseToken ? other?.run : undefined;
  const doneAt = latest(
    last?.record.doneAt,
    attempt?.state === 'done' ? other?.record.occurredAt : undefined,
  );
  if (doneAt !== undefined && doneAt > occurredAt)
    return { admission: 'stale', own: { ...own, note: 'stale' } };
  if (attempt && isRunning(attempt, now)) return { admission: 'busy' };
  return {
    admission: 'admitted',
    record: { eventId, leaseToken: lease.token, occurredAt, doneAt },
    ...(attempt?.state === 'running' && { last: { ...attempt, leaseToken: NO_LEASE } }),
  };
}

function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one !== undefined && other !== undefined ? Math.max(one, other) : (one ?? other);
}
