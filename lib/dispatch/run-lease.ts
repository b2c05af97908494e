import { randomUUID } from 'node:crypto';
import type { InboxLease } from '../inbox/inbox-store.js';

// A run may outlast its deadline for as long again before another process may take it over.
const LEASE_FACTOR = 2;

/** How long the lease of runs that may take `timeoutMs` holds, in ms. */
export function leaseMsFor(timeoutMs: number): number {
  return timeoutMs * LEASE_FACTOR;
}

let processToken: string | undefined;
let leases = 0;

/** Unique among all processes: random bytes for each lease would take longer than all else about it. */
function nextToken(): string {
  processToken ??= randomUUID();
  leases += 1;
  return `${processToken}-${leases}`;
}

/** The lease of runs that may take `timeoutMs`. */
export class RunLease implements InboxLease {
  readonly token = nextToken();
  readonly durationMs: number;

  constructor(
    timeoutMs: number,
    readonly takesOver?: string,
  ) {
    this.durationMs = leaseMsFor(timeoutMs);
  }
}
