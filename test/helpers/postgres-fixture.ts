import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { Pool, PoolClient } from 'pg';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { aSchemaName, dropSchema, emptyInbox, openPool, untilBlocked } from './postgres.js';

/** A pool, a store in a schema of its own that is empty before each test, and transactions that end with their test. */
export class PostgresFixture {
  readonly schema = aSchemaName();
  #pool?: Pool;
  #store?: PostgresInboxStore;
  readonly #transactions = new Set<PoolClient>();

  /** Call this inside a `describe`. */
  static use(connections = 10): PostgresFixture {
    const fixture = new PostgresFixture();
    beforeAll(async () => {
      fixture.#pool = openPool({ max: connections });
      fixture.#store = new PostgresInboxStore({
        client: fixture.pool,
        application: 'test',
        schema: fixture.schema,
      });
      await fixture.store.migrate();
    });
    beforeEach(() => emptyInbox(fixture.pool, fixture.schema));
    afterEach(async () => {
      for (const client of fixture.#transactions) await fixture.rollback(client);
    });
    afterAll(async () => {
      await dropSchema(fixture.pool, fixture.schema);
      await fixture.pool.end();
    });
    return fixture;
  }

  get pool(): Pool {
    if (!this.#pool) throw new Error('The fixture is not open');
    return this.#pool;
  }

  get store(): PostgresInboxStore {
    if (!this.#store) throw new Error('The fixture is not open');
    return this.#store;
  }

  /** A store that works inside a transaction. */
  storeIn(client: PoolClient): PostgresInboxStore {
    return new PostgresInboxStore({ client, application: 'test', schema: this.schema, migrate: false });
  }

  async begin(): Promise<PoolClient> {
    const client = await this.pool.connect();
    this.#transactions.add(client);
    await client.query('BEGIN');
    return client;
  }

  commit(client: PoolClient): Promise<void> {
    return this.#end(client, 'COMMIT');
  }

  rollback(client: PoolClient): Promise<void> {
    return this.#end(client, 'ROLLBACK');
  }

  /** Resolves when a statement of the store waits for a lock. */
  untilBlocked(): Promise<void> {
    return untilBlocked(this.pool, this.schema);
  }

  async #end(client: PoolClient, command: string): Promise<void> {
    this.#transactions.delete(client);
    await client.query(command);
    client.release();
  }
}
