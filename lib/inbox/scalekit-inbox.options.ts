import type { DispatchResult } from '../dispatch/received-event.js';
import type { InboxFilter } from './inbox-store.js';

/** Which entries of an endpoint to read or replay. All conditions that are given must hold. */
export type ScalekitInboxFilter = Omit<InboxFilter, 'endpoint'>;

/** How events are replayed. */
export interface ReplayOptions {
  /**
   * The ids of the handlers to run, and they alone: also those that are done.
   * @default every handler of the event that is not done
   */
  readonly handlers?: readonly string[];
}

/** How many events of a replay ended in which way; `payload_missing`: the inbox does not keep what was received. */
export type ReplayCounts = Readonly<Partial<Record<DispatchResult['outcome'] | 'payload_missing', number>>>;
