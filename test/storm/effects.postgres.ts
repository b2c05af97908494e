import type { InboxTransaction } from 'nestjs-scalekit-webhooks';
import type { Pool } from 'pg';
import type { TransactionalEffects } from './effects.js';

/** Effects in the database of the inbox. The table allows a second effect of an event, so that the storm can find it. */
export class PostgresEffects implements TransactionalEffects {
  constructor(private readonly pool: Pool) {}

  async prepare(): Promise<void> {
    await this.pool.query('CREATE TABLE IF NOT EXISTS effects (event_id text NOT NULL)');
  }

  async transact(
    eventId: string,
    work: (transaction: InboxTransaction, insert: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const client = await this.pool.connect();
    // Losing the connection between two statements must not end the process.
    const ignore = () => {};
    client.on('error', ignore);
    try {
      await client.query('BEGIN');
      await work(client, async () => {
        await client.query('INSERT INTO effects VALUES ($1)', [eventId]);
      });
      await client.query('COMMIT');
      client.off('error', ignore).release();
    } catch (error) {
      const isUsable = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      if (isUsable) client.off('error', ignore).release();
      else client.release(true);
      throw error;
    }
  }

  async count(): Promise<Map<string, number>> {
    const { rows } = await this.pool.query<{ event_id: string; times: string }>(
      'SELECT event_id, count(*) AS times FROM effects GROUP BY event_id',
    );
    return new Map(rows.map((row) => [row.event_id, Number(row.times)]));
  }

  async close(): Promise<void> {}
}
