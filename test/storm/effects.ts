/** Where an effect is made and its success recorded: in one transaction. */
export interface TransactionalEffects {
  /** Makes the tables. */
  prepare(): Promise<void>;
  /** Works in a transaction: `insert` makes the effect, `transaction` goes to `delivery.complete()`. */
  transact(
    eventId: string,
    work: (transaction: unknown, insert: () => Promise<void>) => Promise<void>,
  ): Promise<void>;
  /** How often each event has had its effect. */
  count(): Promise<Map<string, number>>;
  close(): Promise<void>;
}
