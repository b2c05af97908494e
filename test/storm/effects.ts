import type { InboxTransaction } from 'nestjs-scalekit-webhooks';

/** Effects that commit together with the record of their run. The table allows a second effect of a run, so that the storm can find it. */
export interface TransactionalEffects {
  /** Creates the table. */
  prepare(): Promise<void>;
  /** Runs `work` in a transaction, as an application without `delivery.transaction` does. */
  transact(work: (transaction: InboxTransaction) => Promise<void>): Promise<void>;
  /** Makes the effect of a run. */
  insert(transaction: InboxTransaction, handlerId: string, eventId: string): Promise<void>;
  /** Runs a statement that fails, and with which the transaction can no longer be committed. */
  abort(transaction: InboxTransaction): Promise<void>;
  /** How many effects each run has had, by its `runKey`. */
  count(): Promise<Map<string, number>>;
  /** The events whose effects a handler has made, in this order. */
  eventsInOrder(handlerId: string): Promise<readonly string[]>;
  close(): Promise<void>;
}
