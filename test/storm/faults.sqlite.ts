import Database from 'libsql';
import type { Faults } from './faults.js';

/** A connection to a SQLite file that fails some of its commits. Without `faults`, it fails none. */
export class StormDatabase extends Database {
  constructor(
    file: string,
    private readonly faults?: Faults,
  ) {
    super(file);
  }

  override exec(sql: string): this {
    if (sql === 'COMMIT' && this.faults?.strikes()) this.#fail();
    return super.exec(sql);
  }

  #fail(): never {
    // A commit that finds the file busy leaves the transaction open. An error of the disk ends it.
    if (Math.random() < 0.5) throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    super.exec('ROLLBACK');
    throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
  }
}
