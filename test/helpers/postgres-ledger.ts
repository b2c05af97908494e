import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { Pool, PoolClient } from 'pg';
import { PostgresInboxStore } from '../../lib/postgres/index.js';
import { aSchemaName, dropSchema, emptyLedger, openPool, untilBlocked } from './postgres.js';

/** A ledger of a spec file's own: a pool, a schema, and transactions that end with their test. */
export class PostgresLedger {
  readonly schema = aSchemaName();
  #pool?: Pool;
  #store?: PostgresInboxStore;
  readonly #transactions = new Set<PoolClient>();

  /** To be called inside a `describe`. */
  static use(connections = 10): PostgresLedger {
    const ledger = new PostgresLedger();
    beforeAll(async () => {
      ledger.#pool = openPool({ max: connections });
      ledger.#store = new PostgresInboxStore({ client: ledger.pool, schema: ledger.schema });
      await ledger.store.migrate();
    });
    beforeEach(() => emptyLedger(ledger.pool, ledger.schema));
    afterEach(async () => {
      for (const client of ledger.#transactions) await ledger.rollback(client);
    });
    afterAll(async () => {
      await dropSchema(ledger.pool, ledger.schema);
      await ledger.pool.end();
    });
    return ledger;
  }

  get pool(): Pool {
    if (!this.#pool) throw new Error('the ledger is not open');
    return this.#pool;
  }

  get store(): PostgresInboxStore {
    if (!this.#store) throw new Error('the ledger is not open');
    return this.#store;
  }

  /** A store that works inside the given transaction. */
  storeIn(client: PoolClient): PostgresInboxStore {
    return new PostgresInboxStore({ client, schema: this.schema, migrate: false });
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

  untilBlocked(): Promise<void> {
    return untilBlocked(this.pool, this.schema);
  }

  async #end(client: PoolClient, command: string): Promise<void> {
    this.#transactions.delete(client);
    await client.query(command);
    client.release();
  }
}
