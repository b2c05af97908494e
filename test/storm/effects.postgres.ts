import type { Pool, PoolClient } from 'pg';
import type { TransactionalEffects } from './effects.js';
import { runKey } from './storm.settings.js';

/** Effects in the database of the inbox, in a pool of their own. */
export class PostgresEffects implements TransactionalEffects {
  constructor(private readonly pool: Pool) {
    // Losing the connection between two statements must not end the process.
    pool.on('connect', (client) => client.on('error', () => {}));
  }

  async prepare(): Promise<void> {
    await this.pool.query(
      'CREATE TABLE effects (number bigserial PRIMARY KEY, handler_id text NOT NULL, event_id text NOT NULL)',
    );
  }

  async transact(work: (transaction: PoolClient) => Promise<void>): Promise<void> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      const isUsable = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      client.release(!isUsable);
      throw error;
    }
  }

  async insert(transaction: PoolClient, handlerId: string, eventId: string): Promise<void> {
    await transaction.query('INSERT INTO effects (handler_id, event_id) VALUES ($1, $2)', [
      handlerId,
      eventId,
    ]);
  }

  async abort(transaction: PoolClient): Promise<void> {
    await transaction.query('INSERT INTO effects (handler_id, event_id) VALUES (NULL, NULL)');
  }

  async count(): Promise<Map<string, number>> {
    const { rows } = await this.pool.query<{ handler_id: string; event_id: string; times: string }>(
      'SELECT handler_id, event_id, count(*) AS times FROM effects GROUP BY handler_id, event_id',
    );
    return new Map(rows.map((row) => [runKey(row.handler_id, row.event_id), Number(row.times)]));
  }

  async eventsInOrder(handlerId: string): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ event_id: string }>(
      'SELECT event_id FROM effects WHERE handler_id = $1 ORDER BY number',
      [handlerId],
    );
    return rows.map((row) => row.event_id);
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
