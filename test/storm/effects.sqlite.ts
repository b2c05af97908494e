import { setTimeout as delay } from 'node:timers/promises';
import Database from 'libsql';
import type { InboxTransaction } from 'nestjs-scalekit-webhooks';
import type { TransactionalEffects } from './effects.js';

const BUSY_TIMEOUT_MS = 1000;

/** Effects in the file of the inbox, on a connection of their own. */
export class SqliteEffects implements TransactionalEffects {
  readonly #database: Database.Database;

  constructor(file: string) {
    this.#database = new Database(file);
    // After a kill, the first process to open the file recovers its log, and the others have to wait.
    this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    this.#database.exec('PRAGMA synchronous = FULL');
    this.#database.exec('PRAGMA busy_timeout = 0');
  }

  async prepare(): Promise<void> {
    this.#database.exec('CREATE TABLE IF NOT EXISTS effects (event_id TEXT NOT NULL)');
  }

  async transact(
    eventId: string,
    work: (transaction: InboxTransaction, insert: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    await this.#begin();
    try {
      await work(this.#database, async () => {
        this.#database.prepare('INSERT INTO effects VALUES (?)').run(eventId);
      });
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  async count(): Promise<Map<string, number>> {
    const rows = this.#database
      .prepare('SELECT event_id, count(*) AS times FROM effects GROUP BY event_id')
      .all() as { event_id: string; times: number }[];
    return new Map(rows.map((row) => [row.event_id, row.times]));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** Waits for other processes, and for other handlers of this one, without blocking the event loop. */
  async #begin(): Promise<void> {
    const giveUpAt = performance.now() + BUSY_TIMEOUT_MS;
    for (;;) {
      try {
        this.#database.exec('BEGIN IMMEDIATE');
        return;
      } catch (error) {
        const occupied = /locked|busy|within a transaction/i.test(String(error));
        if (!occupied || performance.now() > giveUpAt) throw error;
        await delay(2 + Math.random() * 10);
      }
    }
  }
}
