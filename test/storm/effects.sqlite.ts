import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from 'libsql';
import type { TransactionalEffects } from './effects.js';
import { runKey } from './storm.settings.js';

const BUSY_TIMEOUT_MS = 1000;

/** Effects in the file of the inbox, on a connection of their own. */
export class SqliteEffects implements TransactionalEffects {
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly database: Database) {
    // After a kill, the first process to open the file recovers its log, and the others have to wait.
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA busy_timeout = 0');
  }

  async prepare(): Promise<void> {
    this.database.exec(
      'CREATE TABLE effects (number INTEGER PRIMARY KEY AUTOINCREMENT, handler_id TEXT NOT NULL, event_id TEXT NOT NULL)',
    );
  }

  /** Handlers take turns: if one of them lost its transaction, it must not go on in that of another one. */
  transact(work: (transaction: Database) => Promise<void>): Promise<void> {
    const transacted = this.#turn.then(() => this.#transact(work));
    this.#turn = transacted.catch(() => {});
    return transacted;
  }

  async insert(transaction: Database, handlerId: string, eventId: string): Promise<void> {
    transaction.prepare('INSERT INTO effects (handler_id, event_id) VALUES (?, ?)').run(handlerId, eventId);
  }

  async abort(transaction: Database): Promise<void> {
    // Most errors of SQLite undo only their statement.
    transaction.prepare('INSERT OR ROLLBACK INTO effects (handler_id, event_id) VALUES (NULL, NULL)').run();
  }

  async count(): Promise<Map<string, number>> {
    const rows = this.database
      .prepare('SELECT handler_id, event_id, count(*) AS times FROM effects GROUP BY handler_id, event_id')
      .all() as { handler_id: string; event_id: string; times: number }[];
    return new Map(rows.map((row) => [runKey(row.handler_id, row.event_id), row.times]));
  }

  async eventsInOrder(handlerId: string): Promise<readonly string[]> {
    const rows = this.database
      .prepare('SELECT event_id FROM effects WHERE handler_id = ? ORDER BY number')
      .all(handlerId) as { event_id: string }[];
    return rows.map((row) => row.event_id);
  }

  async close(): Promise<void> {
    this.database.close();
  }

  async #transact(work: (transaction: Database) => Promise<void>): Promise<void> {
    await this.#begin();
    try {
      await work(this.database);
      this.database.exec('COMMIT');
    } catch (error) {
      if (this.database.inTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Waits for other connections, without blocking the event loop. */
  async #begin(): Promise<void> {
    const giveUpAt = performance.now() + BUSY_TIMEOUT_MS;
    for (;;) {
      try {
        this.database.exec('BEGIN IMMEDIATE');
        return;
      } catch (error) {
        if (!/locked|busy/i.test(String(error)) || performance.now() > giveUpAt) throw error;
        await delay(2 + Math.random() * 10);
      }
    }
  }
}
