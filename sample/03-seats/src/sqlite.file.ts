import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import Database from 'libsql';

/** The file with the seats and the inbox. Seats are read on a connection of their own, outside of the inbox's transactions. */
@Injectable()
export class SqliteFile implements OnApplicationShutdown {
  readonly #connections: Database.Database[] = [];

  connect(): Database.Database {
    const connection = new Database(process.env.SEATS_FILE ?? 'seats.db', { timeout: 5000 });
    this.#connections.push(connection);
    return connection;
  }

  onApplicationShutdown(): void {
    for (const connection of this.#connections) connection.close();
  }
}
