import type { Pool } from 'pg';
import type { ScalekitWebhooksOptions } from '../../../lib/index.js';
import {
  PostgresInboxStore,
  type PostgresQueryable,
  preparedQueryable,
} from '../../../lib/postgres/index.js';
import { aSchemaName, dropSchema, openPool } from '../../helpers/postgres.js';
import type { StoreRivals } from './rivals.js';

/** Both sides prepare their statements, or neither does. */
export class PostgresRivals implements StoreRivals {
  readonly name: string;
  readonly bareName: string;
  readonly #pool: Pool = openPool({ max: 1 });
  readonly #client: PostgresQueryable;
  readonly #schema = aSchemaName();
  #written = 0;

  constructor({ isPrepared }: { readonly isPrepared: boolean }) {
    this.name = isPrepared ? 'Postgres, prepared' : 'Postgres';
    this.bareName = isPrepared ? 'two bare statements, prepared' : 'two bare statements';
    this.#client = isPrepared ? preparedQueryable(this.#pool) : this.#pool;
  }

  async open(): Promise<ScalekitWebhooksOptions> {
    const inbox = new PostgresInboxStore({ client: this.#client, schema: this.#schema });
    await inbox.migrate();
    await this.#pool.query(
      `CREATE TABLE "${this.#schema}".bare (id text PRIMARY KEY, payload bytea, state text NOT NULL)`,
    );
    return { inbox };
  }

  async writeBare(payload: Buffer): Promise<void> {
    this.#written += 1;
    const id = `evt_${this.#written}`;
    await this.#client.query(`INSERT INTO "${this.#schema}".bare VALUES ($1, $2, 'running')`, [id, payload]);
    await this.#client.query(`UPDATE "${this.#schema}".bare SET state = 'done' WHERE id = $1`, [id]);
  }

  async close(): Promise<void> {
    await dropSchema(this.#pool, this.#schema);
    await this.#pool.end();
  }
}
