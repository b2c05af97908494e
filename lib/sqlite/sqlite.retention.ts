import type { InboxWarningReporter } from '../inbox/inbox-store.js';
import { MESSAGES } from './sqlite.messages.js';
import type { SqliteTables } from './sqlite.schema.js';
import type { SqliteWriter } from './sqlite.writes.js';

const PRUNE_INTERVAL_MS = 60_000;
const PRUNE_RETRY_MS = 60 * 60 * 1000;
const PRUNE_BATCH_SIZE = 200; // The event loop and other processes wait for each batch.

/** Deletes old events: when it is asked to, and once a minute those whose time is over. */
export class SqliteRetention {
  #nextPruneAt = 0;
  #warn: InboxWarningReporter = () => {};

  /** @param write runs work in a write transaction */
  constructor(
    private readonly tables: SqliteTables,
    private readonly retentionMs: number,
    private readonly write: (work: (writer: SqliteWriter) => number) => Promise<number>,
  ) {}

  onWarning(report: InboxWarningReporter): void {
    this.#warn = report;
  }

  /** Deletes the events that were received before a time. Returns how many. */
  async pruneBefore(time: Date): Promise<number> {
    let total = 0;
    for (;;) {
      const pruned = await this.#pruneBatch(time.getTime(), Date.now());
      total += pruned;
      if (pruned < PRUNE_BATCH_SIZE) return total;
    }
  }

  /** Deletes a batch of old events in a separate transaction, so that a failure does not fail the claim before it. */
  async pruneExpired(): Promise<void> {
    const now = Date.now();
    if (now < this.#nextPruneAt) return;
    this.#nextPruneAt = now + PRUNE_INTERVAL_MS;
    try {
      const pruned = await this.#pruneBatch(now - this.retentionMs, now);
      if (pruned === PRUNE_BATCH_SIZE) this.#nextPruneAt = now;
    } catch (error) {
      this.#nextPruneAt = now + PRUNE_RETRY_MS;
      this.#warn(MESSAGES.retentionFailed(this.tables.events), error);
    }
  }

  #pruneBatch(before: number, now: number): Promise<number> {
    return this.write((writer) => writer.deleteEvents(before, now, PRUNE_BATCH_SIZE));
  }
}
