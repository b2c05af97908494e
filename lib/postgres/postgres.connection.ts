import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { answerInTime } from '../inbox/batcher.js';
import type { InboxWarningReporter } from '../inbox/inbox-store.js';
import { MESSAGES } from './postgres.messages.js';
import type { ResolvedOptions } from './postgres.options.js';
import { postgresSchemaSql } from './postgres.schema.js';
import { isPostgresPool, type PostgresRow, queryRows } from './postgres-queryable.js';

/**
 * The store's client. It creates the tables before the first statement, prepares statements, limits how long they take, and
 * repeats them after conflicts.
 */
export class PostgresConnection {
  readonly #options: ResolvedOptions;
  readonly #names = new Map<string, string>();
  #prepares: boolean;
  #migrated: Promise<void> | undefined;
  #warn: InboxWarningReporter = () => {};

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#prepares = options.preparedStatements;
  }

  onWarning(report: InboxWarningReporter): void {
    this.#warn = report;
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

  /** For batches. After a few conflicts, each part of a batch is better tried by itself. */
  askBatch(text: string, values: unknown[]): Promise<PostgresRow[]> {
    return answerInTime(this.query(text, values, MAX_ATTEMPTS_OF_A_BATCH), 'Postgres');
  }

  async query(text: string, values: unknown[], maxAttempts = MAX_ATTEMPTS): Promise<PostgresRow[]> {
    await this.ready();
    return retryConflicts(() => this.#execute(text, values), maxAttempts);
  }

  /** Only pools of `pg` let a statement be named, so that each of their connections prepares it once. */
  async #execute(text: string, values: unknown[]): Promise<PostgresRow[]> {
    const { client } = this.#options;
    if (!this.#prepares || !isPostgresPool(client)) return queryRows(client, text, values);
    try {
      const { rows } = await client.query({ name: this.#nameOf(text), text, values });
      return rows;
    } catch (error) {
      if (!isPreparationFailure(error)) throw error;
      // The pooler gives each transaction any connection to Postgres. Nothing was executed.
      if (this.#prepares) this.#warn(MESSAGES.preparedStatementLost, error);
      this.#prepares = false;
      return queryRows(client, text, values);
    }
  }

  /** The same text has the same name in every process, and another text has another name, because poolers share the names. */
  #nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    this.#names.set(text, name);
    return name;
  }

  /** Creates the tables, or updates them, unless that is already done or the store must not do it. */
  async ready(): Promise<void> {
    if (this.#options.migrate) await this.#migrateOnce();
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
const MAX_ATTEMPTS_OF_A_BATCH = 5;
const FIRST_WAIT_MS = 4;
const LONGEST_WAIT_MS = 128;

/**
 * Repeats a statement while Postgres rolls it back because of concurrent transactions, by default at most 20 times.
 *
 * A single statement cannot choose its isolation level. At read committed, the default, conflicts hardly ever happen. At
 * repeatable read and serializable, Postgres expects the client to try again.
 */
export async function retryConflicts<T>(attempt: () => Promise<T>, maxAttempts = MAX_ATTEMPTS): Promise<T> {
  for (let attempts = 1, wait = FIRST_WAIT_MS; ; attempts += 1, wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts === maxAttempts || !isConflict(error)) throw error;
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
  '23503', // foreign_key_violation: the event was deleted while one of its runs was settled
  '21000', // cardinality_violation: the event was deleted while it was claimed, so the statement has seen it twice
]);

/** Whether Postgres rolled a statement back because of a concurrent transaction, so that repeating it can succeed. */
export function isConflict(error: unknown): boolean {
  return codesOf(error).some((code) => CONFLICTS.has(code));
}

/** Whether a prepared statement was not found, or had been prepared by somebody else. */
function isPreparationFailure(error: unknown): boolean {
  return codesOf(error).some((code) => code === '26000' || code === '42P05');
}

// Postgres' codes, and Prisma's.
const CODE_OF_STATEMENT = /^(\d|F0|HV|XX|P[02])\w+$/;
// The connection is lost, or the server is shut down or accepts no more connections.
const CODE_OF_SERVER = /^(08|57P|53300)/;

/** Whether Postgres refused a statement because of what it does, and not because it could not be reached. */
export function isOfStatement(error: unknown): boolean {
  const codes = codesOf(error).map(String);
  return (
    codes.some((code) => CODE_OF_STATEMENT.test(code)) && !codes.some((code) => CODE_OF_SERVER.test(code))
  );
}

// The properties in which TypeORM, Drizzle and Prisma keep the error of the driver.
const WRAPPERS = ['cause', 'driverError', 'meta', 'driverAdapterError'];

/** The codes of an error and of those that it wraps. */
function codesOf(error: unknown, depth = 0): unknown[] {
  if (!isObject(error) || depth > WRAPPERS.length) return [];
  const codes = ['code', 'originalCode'].flatMap((name) => Reflect.get(error, name) ?? []);
  return [...codes, ...WRAPPERS.flatMap((name) => codesOf(Reflect.get(error, name), depth + 1))];
}

/** The code and the message of a database's error. */
export interface PostgresFailure {
  readonly code: string;
  readonly message: string;
}

/** Reads an error of the database, also from within that of a library, whose message can be the statement. */
export function readFailure(error: unknown, depth = 0): PostgresFailure {
  const read = (name: string): unknown => Reflect.get(Object(error), name);
  // Node reports an attempt for each address of the host.
  const attempts = read('errors');
  const [inner] = [...WRAPPERS.map(read), Array.isArray(attempts) ? attempts[0] : undefined].filter(isObject);
  if (inner && depth < WRAPPERS.length) return readFailure(inner, depth + 1);
  const code = String(read('code') ?? read('originalCode') ?? '');
  const message = String(read('message') || read('originalMessage') || code || 'unknown error');
  return { code, message: message.trim().replace(/\.$/, '') };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
