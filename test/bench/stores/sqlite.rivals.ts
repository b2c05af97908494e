import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { ScalekitWebhooksOptions } from '../../../lib/index.js';
import { SqliteInboxStore } from '../../../lib/sqlite/index.js';
import type { StoreRivals } from './rivals.js';

export class SqliteRivals implements StoreRivals {
  readonly name = 'SQLite';
  readonly bareName = 'two bare statements in WAL';
  readonly #directory = mkdtempSync(join(tmpdir(), 'bench-sqlite-'));
  readonly #database = new Database(join(this.#directory, 'inbox.db'));
  #written = 0;

  async open(): Promise<ScalekitWebhooksOptions> {
    const inbox = new SqliteInboxStore({ database: this.#database });
    // Its first use sets the connection up, for the bare statements too.
    await inbox.ping();
    this.#database.exec('CREATE TABLE bare (id TEXT PRIMARY KEY, payload BLOB, state TEXT NOT NULL)');
    return { inbox };
  }

  async writeBare(payload: Buffer): Promise<void> {
    this.#written += 1;
    const id = `evt_${this.#written}`;
    this.#database.prepare("INSERT INTO bare VALUES (?, ?, 'running')").run(id, payload);
    this.#database.prepare("UPDATE bare SET state = 'done' WHERE id = ?").run(id);
  }

  async close(): Promise<void> {
    this.#database.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
