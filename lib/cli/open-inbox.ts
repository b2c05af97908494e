import { existsSync } from 'node:fs';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import { PostgresInboxStore } from '../postgres/postgres-inbox.store.js';
import { isPostgresQueryable } from '../postgres/postgres-queryable.js';
import type { RedisClientLike } from '../redis/redis-inbox.connection.js';
import { RedisInboxStore } from '../redis/redis-inbox.store.js';
import { isSqliteDatabase, type SqliteDatabase } from '../sqlite/sqlite-database.js';
import { SqliteInboxStore } from '../sqlite/sqlite-inbox.store.js';
import { CliFailureError, CliUsageError, errorField, reasonOf } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliIo } from './cli-io.js';
import { importDriver } from './import-driver.js';
import { INBOX_URL_VARIABLE, type InboxStoreOptions } from './inbox.options.js';

/** A store that the tool has opened, and how to let it go. */
interface OpenedInbox {
  readonly store: InboxStore;
  close(): Promise<void>;
}

/** What an inbox is opened with. */
interface InboxLocation {
  readonly url: string;
  /** Postgres: the schema of the tables. */
  readonly schema?: string;
  /** Redis: what the keys begin with; SQLite: what the tables begin with. */
  readonly prefix?: string;
}

/** Calls a method that a driver's object should have. */
async function callMethod(driver: unknown, name: string, ...args: unknown[]): Promise<unknown> {
  if (typeof driver !== 'object' || driver === null) return undefined;
  const method: unknown = Reflect.get(driver, name);
  return typeof method === 'function' ? await method.apply(driver, args) : undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Opens the inbox of a `postgres://` URL with `pg`. It makes no tables: a mistyped URL must leave nothing behind. */
async function openPostgresInbox({ url, schema, prefix }: InboxLocation): Promise<OpenedInbox> {
  if (prefix !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--prefix', 'Postgres'));
  const Pool = await importDriver('Postgres', [['pg', 'Pool']]);
  const pool = new Pool({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // Without a listener, a connection that breaks while idle would end the process.
  await callMethod(pool, 'on', 'error', () => {});
  if (!isPostgresQueryable(pool)) throw new CliUsageError(CLI_MESSAGES.driverMissing('Postgres', ['pg']));
  const store = new PostgresInboxStore({ client: pool, migrate: false, ...(schema && { schema }) });
  return {
    store,
    async close() {
      await store.close();
      await callMethod(pool, 'end');
    },
  };
}

// What the application is likely to have comes first; Node's own needs no installation, but may warn that it is new.
const DRIVERS = [
  ['libsql', 'default'],
  ['better-sqlite3', 'default'],
  ['node:sqlite', 'DatabaseSync'],
] as const;
const DEFAULT_PREFIX = 'scalekit_webhooks_';

/** Opens the inbox of `sqlite:path`. It makes neither file nor tables: a mistyped path must leave nothing behind. */
async function openSqliteInbox({ url, schema, prefix }: InboxLocation): Promise<OpenedInbox> {
  if (schema !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--schema', 'SQLite'));
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  if (!existsSync(path)) throw new CliFailureError(CLI_MESSAGES.sqliteFileMissing(path));
  const Database = await importDriver('SQLite', DRIVERS);
  const database = new Database(path);
  if (!isSqliteDatabase(database)) throw new CliUsageError(CLI_MESSAGES.driverMissing('SQLite', ['libsql']));
  const store = new SqliteInboxStore({ database, ...(prefix !== undefined && { tablePrefix: prefix }) });
  if (!hasLedger(database, prefix ?? DEFAULT_PREFIX)) {
    await callMethod(database, 'close');
    throw new CliFailureError(CLI_MESSAGES.ledgerMissing(path));
  }
  return {
    store,
    async close() {
      await store.close();
      await callMethod(database, 'close');
    },
  };
}

function hasLedger(database: SqliteDatabase, prefix: string): boolean {
  const tables = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  return tables.all(`${prefix}events`).length > 0;
}

// Fails at once instead of trying again for as long as the tool runs.
const CLIENT_OPTIONS = {
  lazyConnect: true,
  retryStrategy: null,
  maxRetriesPerRequest: 0,
  connectTimeout: 10_000,
};

/** Opens the inbox of a `redis://` or `rediss://` URL with `ioredis`. */
async function openRedisInbox({ url, schema, prefix }: InboxLocation): Promise<OpenedInbox> {
  if (schema !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--schema', 'Redis'));
  const Redis = await importDriver('Redis', [['ioredis', 'Redis']]);
  const client = new Redis(url, CLIENT_OPTIONS);
  if (!isRedisClient(client)) throw new CliUsageError(CLI_MESSAGES.driverMissing('Redis', ['ioredis']));
  let cause: unknown;
  // The promise of `connect` tells that it failed, this event why.
  await callMethod(client, 'on', 'error', (error: unknown) => {
    cause = error;
  });
  try {
    await callMethod(client, 'connect');
  } catch (error) {
    throw new CliFailureError(CLI_MESSAGES.inboxFailed(reasonOf(cause ?? error)));
  }
  const store = new RedisInboxStore({ client, ...(prefix !== undefined && { keyPrefix: prefix }) });
  return {
    store,
    async close() {
      await callMethod(client, 'quit');
    },
  };
}

function isRedisClient(value: unknown): value is RedisClientLike {
  return typeof value === 'object' && value !== null && 'evalsha' in value && 'getBuffer' in value;
}

const OPENERS: Readonly<Record<string, (location: InboxLocation) => Promise<OpenedInbox>>> = {
  'postgres:': openPostgresInbox,
  'postgresql:': openPostgresInbox,
  'redis:': openRedisInbox,
  'rediss:': openRedisInbox,
  'sqlite:': openSqliteInbox,
};

// Postgres: no such schema, no such table.
const NO_LEDGER = new Set(['3F000', '42P01']);

/**
 * Works with the inbox that the options or the environment name, and closes it.
 *
 * @throws CliUsageError where none is named, or its driver is not installed
 * @throws CliFailureError where it cannot be used
 */
export async function withInbox<T>(
  { store: given, schema, prefix }: InboxStoreOptions,
  io: CliIo,
  work: (store: InboxStore) => Promise<T>,
): Promise<T> {
  const url = given ?? io.env[INBOX_URL_VARIABLE];
  if (!url) throw new CliUsageError(CLI_MESSAGES.inboxMissing(INBOX_URL_VARIABLE));
  const opener = OPENERS[/^[a-z]+:/.exec(url)?.[0] ?? ''];
  if (!opener) throw new CliUsageError(CLI_MESSAGES.inboxUrlUnknown);
  try {
    const { store, close } = await opener({ url, schema, prefix });
    try {
      return await work(store);
    } finally {
      await close();
    }
  } catch (error) {
    throw explained(error);
  }
}

function explained(error: unknown): Error {
  if (error instanceof CliUsageError || error instanceof CliFailureError) return error;
  if (error instanceof ScalekitWebhooksConfigurationError) return new CliUsageError(error.message);
  if (NO_LEDGER.has(errorField(error, 'code') ?? '')) {
    return new CliFailureError(CLI_MESSAGES.ledgerMissing('the database'));
  }
  return new CliFailureError(CLI_MESSAGES.inboxFailed(reasonOf(error)));
}
