import {
  checkOptions,
  describeValue,
  integerUpTo,
  type OptionChecks,
  optional,
  refuseSetting,
  requireFunction,
  requireRetentionMs,
} from '../errors/settings.js';

/** Options of {@link MemoryInboxStore}. */
export interface MemoryInboxOptions {
  /**
   * How many events to remember, at most 10,000,000. When there are more, the store forgets the oldest.
   * @default 100000
   */
  maxEvents?: number;
  /**
   * How long to remember an event, in milliseconds. Remember events for longer than Scalekit retries them: 28 hours.
   * @default 172800000 (48 hours)
   */
  retentionMs?: number;
  /**
   * How `delivery.transaction` opens a transaction on your own database, for handlers that use one in development and in
   * tests. The run is recorded after it, not in it.
   *
   * @example (work) => dataSource.transaction(work)
   * @default none: a handler that uses the transaction fails
   */
  transaction?: TransactionOpener;
}

const MOST_EVENTS = 10_000_000; // A Map does not hold many more.

const CHECKS: OptionChecks<MemoryInboxOptions> = {
  maxEvents: optional(integerUpTo(MOST_EVENTS)),
  retentionMs: optional(requireRetentionMs),
  transaction: optional(requireFunction),
};

/** Checks the options, and fills in the defaults. */
export function resolveOptions(options: MemoryInboxOptions): Required<MemoryInboxOptions> {
  const {
    maxEvents = 100_000,
    retentionMs = 48 * 60 * 60 * 1000,
    transaction = withoutDatabase,
  } = checkOptions(options, CHECKS);
  return { maxEvents, retentionMs, transaction };
}

/** Opens a transaction in the application's own database, and passes it to `work`. */
type TransactionOpener = <Result>(work: (tx: unknown) => Promise<Result>) => Promise<Result>;

/** Runs the work without a transaction. What it gets instead throws an error that says so when it is used. */
const withoutDatabase: TransactionOpener = (work) =>
  work(new Proxy({}, { get: () => refuseSetting('transaction', NO_DATABASE) }));

export function notATransaction(found: unknown): string {
  return `transaction must be the client or connection that holds your transaction; found ${describeValue(found)}.`;
}

const NO_DATABASE =
  'A handler used the transaction that delivery.transaction() gave it, but MemoryInboxStore has no database. Let it open one on your own database: new MemoryInboxStore({ transaction: (work) => dataSource.transaction(work) }).';
