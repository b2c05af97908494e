import { setTimeout as delay } from 'node:timers/promises';
import { answerInTime } from '../inbox/answer-timeout.js';
import type { PostgresInboxOptions } from './postgres.options.js';
import { postgresSchemaSql } from './postgres.schema.js';
import { type PostgresRow, queryRows } from './postgres-queryable.js';

type PostgresConnectionOptions = Readonly<Required<PostgresInboxOptions>>;

/** The store's client: with the tables created before the first statement, time limits, and retries after conflicts. */
export class PostgresConnection {
  readonly #options: PostgresConnectionOptions;
  #migrated: Promise<void> | undefined;

  constructor(options: PostgresConnectionOptions) {
    this.#options = options;
  }

  /** Creates the tables, or updates them. */
  async migrate(): Promise<void> {
    const { client, application, schema } = this.#options;
    const sql = postgresSchemaSql({ application, schema });
    await retryConflicts(() => queryRows(client, sql));
  }

  /** For statements about a single event. If one of them takes this long, its connection is probably lost. */
  ask(text: string, values: unknown[]): Promise<PostgresRow[]> {
    return answerInTime(this.query(text, values), 'Postgres');
  }

  async query(text: string, values: unknown[]): Promise<PostgresRow[]> {
    if (this.#options.migrate) await this.#migrateOnce();
    return retryConflicts(() => queryRows(this.#options.client, text, values));
  }

  #migrateOnce(): Promise<void> {
    // A migration that hangs must not block every later call.
    this.#migrated ??= answerInTime(this.migrate(), 'Postgres').catch((error) => {
      this.#migrated = undefined;
      throw error;
    });
    return this.#migrated;
  }
}

const MAX_ATTEMPTS = 20;
const FIRST_WAIT_MS = 4;
const LONGEST_WAIT_MS = 128;

/**
 * Repeats a statement while Postgres rolls it back because of concurrent transactions, at most 20 times.
 *
 * A single statement cannot choose its isolation level. At read committed, the default, conflicts hardly ever happen. At
 * repeatable read and serializable, Postgres expects the client to try again.
 */
export async function retryConflicts<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1, wait = FIRST_WAIT_MS; ; attempts += 1, wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts === MAX_ATTEMPTS || !isConflict(error)) throw error;
    }
    // The random part keeps statements from conflicting again.
    await delay(wait * (0.5 + Math.random()));
  }
}

const CONFLICTS: ReadonlySet<unknown> = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  'P2034', // Prisma's code for both
  // Above read committed, a migration does not see what another process has created since it began.
  '42P06', // duplicate_schema
  '42P07', // duplicate_table
  '42701', // duplicate_column
  '23505', // unique_violation
]);

// The properties in which TypeORM, Drizzle and Prisma keep the error of the driver.
const WRAPPERS = ['cause', 'driverError', 'meta', 'driverAdapterError'];

/** Whether Postgres rolled a statement back because of a concurrent transaction, so that repeating it can succeed. */
export function isConflict(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > WRAPPERS.length) return false;
  const codes = ['code', 'originalCode'].map((name) => Reflect.get(error, name));
  if (codes.some((code) => CONFLICTS.has(code))) return true;
  return WRAPPERS.some((name) => isConflict(Reflect.get(error, name), depth + 1));
}
