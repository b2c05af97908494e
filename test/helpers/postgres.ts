import { randomUUID } from 'node:crypto';
import { Pool, type PoolConfig } from 'pg';
import { type PostgresQueryable, queryRows } from '../../lib/postgres/postgres-queryable.js';
import { serviceUrl } from './service-url.js';

/** Opens a pool on the tests' Postgres. The test has to end it. */
export function openPool(config: PoolConfig = {}): Pool {
  return new Pool({ connectionString: serviceUrl('postgres'), ...config });
}

/** Creates a database with this encoding, and opens a pool on it. The test has to drop it. */
export async function openDatabase(encoding: string): Promise<{ pool: Pool; drop(): Promise<void> }> {
  const name = aSchemaName();
  const admin = openPool({ max: 1 });
  await admin.query(
    `CREATE DATABASE ${name} ENCODING '${encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
  const url = new URL(serviceUrl('postgres'));
  url.pathname = name;
  const pool = openPool({ connectionString: url.href });
  return {
    pool,
    async drop() {
      await pool.end();
      await admin.query(`DROP DATABASE ${name}`);
      await admin.end();
    },
  };
}

/** A schema name that no other test has. */
export function aSchemaName(): string {
  return `test_${randomUUID().replaceAll('-', '')}`;
}

export async function dropSchema(client: PostgresQueryable, schema: string): Promise<void> {
  await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}

export async function emptyInbox(client: PostgresQueryable, schema: string): Promise<void> {
  await client.query(`TRUNCATE "${schema}".inbox_events CASCADE`);
  const tables = ['pauses', 'entities', 'keys', 'recoveries'].map((name) => `"${schema}".inbox_${name}`);
  await client.query(`TRUNCATE ${tables.join(', ')}`);
}

/** Moves everything in an inbox into the past, as if time had passed. */
export async function passTime(client: PostgresQueryable, schema: string, ms: number): Promise<void> {
  const earlier = `- ${ms} * interval '1 millisecond'`;
  await client.query(`UPDATE "${schema}".inbox_events SET received_at = received_at ${earlier}`);
  await client.query(
    `UPDATE "${schema}".inbox_runs SET updated_at = updated_at ${earlier}, lease_ends_at = lease_ends_at ${earlier},
      due_at = due_at ${earlier}`,
  );
  await client.query(`UPDATE "${schema}".inbox_keys SET due_at = due_at ${earlier}`);
  await client.query(`UPDATE "${schema}".inbox_recoveries SET lease_ends_at = lease_ends_at ${earlier}`);
}

/** Resolves when a statement that mentions the schema waits for a lock. */
export async function untilBlocked(client: PostgresQueryable, schema: string): Promise<void> {
  const waiting = `SELECT pid FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid() AND strpos(query, $1) > 0`;
  while ((await queryRows(client, waiting, [schema])).length === 0);
}

/** A client that records the statements that it runs. */
export class RecordingClient implements PostgresQueryable {
  readonly statements: string[] = [];

  constructor(private readonly client: PostgresQueryable) {}

  query(text: string, values?: unknown[]) {
    this.statements.push(text);
    return this.client.query(text, values);
  }
}
