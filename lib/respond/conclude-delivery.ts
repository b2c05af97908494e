import type { HandlerReport } from '../dispatch/handler-report.js';
import type { DispatchResult } from '../dispatch/received-event.js';

/**
 * The outcome of a delivery, from how each of its handlers fared. What asks for a retry comes first, since an
 * acknowledged event is never sent again: a failure, then a run that has not started or ended, then a final refusal.
 */
export function concludeDelivery(handlers: readonly HandlerReport[]): DispatchResult['outcome'] {
  const has = (state: HandlerReport['state']) => handlers.some((handler) => handler.state === state);
  if (handlers.length === 0) return 'ignored';
  if (has('failed')) return 'failed';
  if (has('running') || has('overdue') || has('not_started')) return 'unavailable';
  if (has('refused')) return 'unprocessable';
  if (has('queued')) return 'accepted';
  return has('done') ? 'processed' : 'duplicate';
}
