import { Injectable } from '@nestjs/common';
import type Database from 'libsql';
import { SqliteFile } from './sqlite.file.js';

@Injectable()
export class SeatDatabase {
  readonly #connection: Database.Database;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: SqliteFile) {
    this.#connection = file.connect();
    this.#connection.exec(
      'CREATE TABLE IF NOT EXISTS seats (organization_id TEXT PRIMARY KEY, used INTEGER NOT NULL)',
    );
  }

  /**
   * Runs work in a transaction. All handlers share this connection, so each transaction waits for the previous one to
   * end.
   */
  transaction<T>(work: (connection: Database.Database) => T | Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#transact(work));
    this.#last = result.catch(() => {});
    return result;
  }

  async #transact<T>(work: (connection: Database.Database) => T | Promise<T>): Promise<T> {
    const connection = this.#connection;
    connection.exec('BEGIN IMMEDIATE');
    try {
      const result = await work(connection);
      connection.exec('COMMIT');
      return result;
    } catch (error) {
      if (connection.inTransaction) connection.exec('ROLLBACK');
      throw error;
    }
  }
}
