import { Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import Database from 'libsql';

/** The file with the inbox and the history. */
@Injectable()
export class SqliteFile implements OnApplicationShutdown {
  readonly database = new Database(process.env.HISTORY_FILE ?? 'history.db', { timeout: 5000 });

  constructor() {
    this.database.exec(
      'CREATE TABLE IF NOT EXISTS history (position INTEGER PRIMARY KEY, user_id TEXT, event_id TEXT, occurred_at TEXT)',
    );
  }

  onApplicationShutdown(): void {
    this.database.close();
  }
}

@Module({ providers: [SqliteFile], exports: [SqliteFile] })
export class DatabaseModule {}
