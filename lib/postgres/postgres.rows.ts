import type { HandlerRow, HandlerRowState, InboxEntry } from '../inbox/inbox-entry.js';
import type { HandlerClaim } from '../inbox/inbox-store.js';
import { fromPostgresText } from './postgres.text.js';
import type { PostgresRow } from './postgres-queryable.js';

/** A run as `json_build_object` gives it. */
interface StoredRun {
  readonly handlerId: string;
  readonly state: HandlerRowState;
  readonly attempts: number;
  readonly updatedAt: number;
  readonly errorName: string | null;
  readonly errorMessage: string | null;
}

/** A text column. */
export function textOf(row: PostgresRow, column: string): string {
  return fromPostgresText(String(row[column]));
}

/** An entry as people read it. */
export function toInboxEntry(row: PostgresRow): InboxEntry {
  const runs: StoredRun[] = JSON.parse(String(row.handlers));
  return {
    endpoint: textOf(row, 'endpoint'),
    eventId: textOf(row, 'event_id'),
    type: textOf(row, 'type'),
    occurredAt: textOf(row, 'occurred_at'),
    receivedAt: new Date(Number(row.received_at)),
    handlers: runs.map(toHandlerRow),
  };
}

/** What the claim statement says of one handler. */
export function toHandlerClaim(row: PostgresRow): HandlerClaim {
  switch (row.state) {
    case 'claimed':
      return { state: 'claimed', attempt: Number(row.attempts) };
    case 'queued':
    case 'done':
    case 'dead':
      return { state: row.state };
    default:
      // It may have run out since the server looked.
      return { state: 'running', leaseEndsInMs: Math.max(1, Number(row.lease_ends_in_ms)) };
  }
}

function toHandlerRow({
  handlerId,
  state,
  attempts,
  updatedAt,
  errorName,
  errorMessage,
}: StoredRun): HandlerRow {
  return {
    handlerId: fromPostgresText(handlerId),
    state,
    attempts,
    updatedAt: new Date(updatedAt),
    ...(errorName !== null && {
      error: { name: fromPostgresText(errorName), message: fromPostgresText(errorMessage ?? '') },
    }),
  };
}
