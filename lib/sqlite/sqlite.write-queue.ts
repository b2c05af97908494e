import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { SqliteDatabase } from './sqlite-database.js';
import {
  attemptUntil,
  inTransaction,
  isOccupiedError,
  LONGEST_PAUSE_MS,
  tryExec,
} from './sqlite-database.js';

/** What one transaction commits at most: the event loop and other processes wait for it. */
const WRITES_AT_ONCE = 25;
/** How long a queue that never empties may keep other processes out. */
const UNBROKEN_WRITING_MS = 50;
const SAVEPOINT = 'scalekit_webhooks_write';

interface QueuedWrite {
  readonly giveUpAt: number;
  /** Does the work. What it returns tells the caller, once it is committed. */
  run(database: SqliteDatabase): () => void;
  reject(error: unknown): void;
}

/**
 * Writes in the order of the calls. Those that have come together are committed together, since a commit waits for the
 * disk; each is still written as a whole or not at all, and is told of only after the commit.
 */
export class SqliteWriteQueue {
  readonly #waiting: QueuedWrite[] = [];
  #draining: Promise<void> | undefined;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly busyTimeoutMs: number,
  ) {}

  /** Does work in a write transaction; more than once where the database is busy in between. */
  write<T>(work: (database: SqliteDatabase) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (database: SqliteDatabase) => inSavepoint(database, work, resolve, reject);
      this.#waiting.push({ giveUpAt: performance.now() + this.busyTimeoutMs, run, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Resolves when the writes that were asked for have ended. */
  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    let begun = performance.now();
    while (this.#waiting.length > 0) {
      await this.#commit(this.#waiting.splice(0, WRITES_AT_ONCE));
      await turn();
      if (performance.now() - begun < UNBROKEN_WRITING_MS) continue;
      // SQLite's lock knows no order: who always asks at once always gets it.
      await delay(LONGEST_PAUSE_MS);
      begun = performance.now();
    }
    this.#draining = undefined;
  }

  async #commit(writes: readonly QueuedWrite[]): Promise<void> {
    try {
      const tellers = await attemptUntil(writes[0]?.giveUpAt ?? 0, this.database, (database) =>
        inTransaction(database, () => writes.map((write) => write.run(database))),
      );
      for (const tell of tellers) tell();
    } catch (error) {
      const now = performance.now();
      const goOn = writes.filter(({ giveUpAt }) => isOccupiedError(error) && giveUpAt > now);
      for (const write of writes) if (!goOn.includes(write)) write.reject(error);
      this.#waiting.unshift(...goOn);
    }
  }
}

/**
 * Keeps what one write does apart from the others of the transaction.
 * @throws what the work threw, where that has ended the transaction
 */
function inSavepoint<T>(
  database: SqliteDatabase,
  work: (database: SqliteDatabase) => T,
  resolve: (result: T) => void,
  reject: (error: unknown) => void,
): () => void {
  database.exec(`SAVEPOINT ${SAVEPOINT}`);
  try {
    const result = work(database);
    database.exec(`RELEASE ${SAVEPOINT}`);
    return () => resolve(result);
  } catch (error) {
    if (!tryExec(database, `ROLLBACK TO ${SAVEPOINT}`)) throw error;
    database.exec(`RELEASE ${SAVEPOINT}`);
    return () => reject(error);
  }
}
