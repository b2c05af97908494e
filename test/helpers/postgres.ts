import { randomUUID } from 'node:crypto';
import { Pool, type PoolConfig } from 'pg';
import type { PostgresQueryable } from '../../lib/postgres/index.js';
import { serviceUrl } from './service-url.js';

/** A pool to the tests' Postgres, to be ended by the test. */
export function openPool(config: PoolConfig = {}): Pool {
  return new Pool({ connectionString: serviceUrl('postgres'), ...config });
}

/** A schema name that no other test has. */
export function aSchemaName(): string {
  return `test_${randomUUID().replaceAll('-', '')}`;
}

export async function dropSchema(client: PostgresQueryable, schema: string): Promise<void> {
  await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}

/** Empties a ledger. */
export async function emptyLedger(client: PostgresQueryable, schema: string): Promise<void> {
  await client.query(`TRUNCATE "${schema}".inbox_events CASCADE`);
}

/** Lets time pass for a ledger: all that is written there happened that much earlier. */
export async function passTime(client: PostgresQueryable, schema: string, ms: number): Promise<void> {
  const earlier = `- ${ms} * interval '1 millisecond'`;
  await client.query(`UPDATE "${schema}".inbox_events SET received_at = received_at ${earlier}`);
  await client.query(
    `UPDATE "${schema}".inbox_runs SET updated_at = updated_at ${earlier}, lease_ends_at = lease_ends_at ${earlier}`,
  );
}

/** Resolves when as many statements that mention the schema wait for a lock. */
export async function untilBlocked(client: PostgresQueryable, schema: string, statements = 1): Promise<void> {
  for (;;) {
    const result = await client.query(
      `SELECT pid FROM pg_stat_activity
       WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid() AND strpos(query, $1) > 0`,
      [schema],
    );
    if (('rows' in result ? result.rows : result).length >= statements) return;
  }
}
