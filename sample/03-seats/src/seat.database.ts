import { Injectable } from '@nestjs/common';
import type Database from 'libsql';
import { SqliteFile } from './sqlite.file.js';

const CHANGE_SEATS = `
  INSERT INTO seats (organization_id, used) VALUES (?, ?)
  ON CONFLICT (organization_id) DO UPDATE SET used = used + excluded.used`;

@Injectable()
export class SeatDatabase {
  readonly #connection: Database.Database;

  constructor(file: SqliteFile) {
    this.#connection = file.connect();
    this.#connection.exec(
      'CREATE TABLE IF NOT EXISTS seats (organization_id TEXT PRIMARY KEY, used INTEGER NOT NULL)',
    );
  }

  /** Changes a count on the connection that has the transaction. */
  async change(tx: Database.Database, organizationId: string, by: number): Promise<void> {
    tx.prepare(CHANGE_SEATS).run(organizationId, by);
  }

  used(organizationId: string): number {
    const [row] = this.#connection
      .prepare('SELECT used FROM seats WHERE organization_id = ?')
      .all(organizationId) as { used: number }[];
    return row?.used ?? 0;
  }
}
