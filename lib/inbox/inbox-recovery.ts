import type { InboxLease, InboxStore } from './inbox-store.js';

/**
 * An inbox that remembers how far the recovery of each endpoint has come: what `ScalekitRecoveryModule` needs. Both
 * methods, or none, belong to a store.
 *
 * The **checkpoint** of an endpoint is the time up to which all events are in the inbox. Deliveries never move it: an event
 * that arrives says nothing about those before it.
 */
export interface InboxRecoveryStore extends InboxStore {
  /**
   * Lets one process at a time recover the events of an endpoint, for `lease.durationMs` from now on. It gets the right
   * unless another process has it under a lease that has not ended. It is atomic, also across processes.
   *
   * With the same token, it can be repeated: the lease begins anew.
   *
   * @returns the checkpoint, if there is one; undefined if another process has the right
   */
  beginRecovery(endpoint: string, lease: InboxLease): Promise<RecoveryStart | undefined>;

  /**
   * Ends a recovery, so that another process can begin one at once. If another process has taken over since, it does
   * nothing. It can be repeated under the same lease.
   *
   * @param checkpoint moves the checkpoint, but never back; by default it stays where it is
   * @returns whether the lease was still held
   */
  endRecovery(endpoint: string, lease: InboxLease, checkpoint?: Date): Promise<boolean>;
}

/** What a process that may recover needs to know. */
export interface RecoveryStart {
  /** The time up to which all events are in the inbox. Undefined before the first recovery has ended. */
  readonly checkpoint?: Date;
}

/** The methods that a store needs for recovery, next to those of every store. */
export const RECOVERY_METHODS = [
  'beginRecovery',
  'endRecovery',
] as const satisfies (keyof InboxRecoveryStore)[];

/** Whether a store remembers how far a recovery has come. */
export function isRecoveryStore(store: InboxStore): store is InboxRecoveryStore {
  return RECOVERY_METHODS.every((method) => typeof Reflect.get(store, method) === 'function');
}
