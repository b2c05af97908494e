import { describeValue, refuseSetting } from '../errors/settings.js';

/** Opens a transaction in the application's own database, and passes it to `work`. */
export type TransactionOpener = <Result>(work: (tx: unknown) => Promise<Result>) => Promise<Result>;

/** Error texts: what happened, then what to do. */
export const MESSAGES = {
  notATransaction: (found: unknown) =>
    `transaction must be the client or connection that holds your transaction; found ${describeValue(found)}.`,
  noDatabase:
    'A handler used the transaction that delivery.transaction() gave it, but MemoryInboxStore has no database. Let it open your own: new MemoryInboxStore({ transaction: (work) => dataSource.transaction(work) }).',
} as const;

/** Runs the work without a transaction. What it gets in its place says so when it is used. */
export const withoutDatabase: TransactionOpener = (work) =>
  work(new Proxy({}, { get: () => refuseSetting('transaction', MESSAGES.noDatabase) }));
