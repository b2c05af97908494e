import type { InboxTransaction } from 'nestjs-scalekit-webhooks';

/** Effects that commit together with the record of their run. */
export interface TransactionalEffects {
  /** Creates the table. */
  prepare(): Promise<void>;
  /** Runs `work` in a transaction. `insert` makes the effect, and `transaction` is for `delivery.complete()`. */
  transact(
    eventId: string,
    work: (transaction: InboxTransaction, insert: () => Promise<void>) => Promise<void>,
  ): Promise<void>;
  /** How many effects each event has had. */
  count(): Promise<Map<string, number>>;
  close(): Promise<void>;
}
