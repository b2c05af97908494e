import type { PostgresQueryable } from '../../lib/postgres/index.js';

/** A client that remembers what it was asked. */
export class RecordingClient implements PostgresQueryable {
  readonly statements: string[] = [];

  constructor(private readonly client: PostgresQueryable) {}

  query(text: string, values?: unknown[]) {
    this.statements.push(text);
    return this.client.query(text, values);
  }
}
