import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PayloadUnreadableError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { PAYLOAD_CHECKS, type PayloadOptions } from '../inbox/inbox-options.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import { PostgresInboxStore } from '../postgres/postgres-inbox.store.js';
import { RedisInboxStore } from '../redis/redis-inbox.store.js';
import type { SqliteDatabase } from '../sqlite/sqlite-database.js';
import { SqliteInboxStore } from '../sqlite/sqlite-inbox.store.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliIo } from './cli-io.js';
import {
  CliFailureError,
  CliUsageError,
  errorField,
  INBOX_URL_VARIABLE,
  type InboxStoreOptions,
  reasonOf,
} from './cli-io.js';

/** The environment variable with the keys of payloads: `<id>:<base64>`, separated by commas. The first one encrypts. */
export const INBOX_KEYS_VARIABLE = 'SCALEKIT_INBOX_KEYS';

interface OpenInbox {
  readonly store: InboxStore;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Opens the inbox that the options or the environment name, works with it, and closes it.
 *
 * @throws CliUsageError if no inbox is named, or its driver is not installed
 * @throws CliFailureError if it cannot be accessed
 */
export async function withInbox<T>(
  options: InboxStoreOptions,
  io: CliIo,
  work: (store: InboxStore) => Promise<T>,
): Promise<T> {
  const url = options.store ?? io.env[INBOX_URL_VARIABLE];
  if (!url) throw new CliUsageError(CLI_MESSAGES.inboxMissing(INBOX_URL_VARIABLE));
  try {
    const { store, close } = await openInbox(url, options, payloadOptions(io.env[INBOX_KEYS_VARIABLE]));
    try {
      return await work(store);
    } finally {
      await close();
    }
  } catch (error) {
    throw toCliError(error);
  }
}

/** @throws CliUsageError when the variable has no keys. It shows none of them. */
function payloadOptions(variable: string | undefined): PayloadOptions {
  if (!variable) return {};
  const keys = variable.split(',').map((text) => {
    const [id = '', secret = ''] = text.trim().split(':');
    return { id, secret };
  });
  try {
    PAYLOAD_CHECKS.encryption(INBOX_KEYS_VARIABLE, { keys });
  } catch {
    throw new CliUsageError(CLI_MESSAGES.inboxKeysInvalid(INBOX_KEYS_VARIABLE));
  }
  return { encryption: { keys } };
}

// Postgres: the schema or the table does not exist.
const NO_TABLES = new Set(['3F000', '42P01']);

function toCliError(error: unknown): Error {
  if (error instanceof CliUsageError || error instanceof CliFailureError) return error;
  if (error instanceof PayloadUnreadableError) {
    return new CliFailureError(CLI_MESSAGES.payloadUnreadable(INBOX_KEYS_VARIABLE, error.keyId));
  }
  if (error instanceof ScalekitWebhooksConfigurationError) return new CliUsageError(error.message);
  if (NO_TABLES.has(errorField(error, 'code') ?? '')) {
    return new CliFailureError(CLI_MESSAGES.inboxNotFound('the database'));
  }
  return new CliFailureError(CLI_MESSAGES.inboxFailed(reasonOf(error)));
}

/** Opens an inbox without creating any file or table, so that a mistyped URL leaves nothing behind. */
function openInbox(url: string, options: InboxStoreOptions, payloads: PayloadOptions): Promise<OpenInbox> {
  switch (/^[a-z]+:/.exec(url)?.[0]) {
    case 'postgres:':
    case 'postgresql:':
      return openPostgresInbox(url, options, payloads);
    case 'redis:':
    case 'rediss:':
      return openRedisInbox(url, options, payloads);
    case 'sqlite:':
      return openSqliteInbox(url, options, payloads);
    default:
      throw new CliUsageError(CLI_MESSAGES.inboxUrlUnknown);
  }
}

async function openPostgresInbox(
  url: string,
  options: InboxStoreOptions,
  payloads: PayloadOptions,
): Promise<OpenInbox> {
  const { schema, prefix } = options;
  const application = requireApplicationOption('Postgres', options);
  if (prefix !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--prefix', 'Postgres'));
  const { Pool } = await importDriver<typeof import('pg')>('Postgres', ['pg']);
  const pool = new Pool({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // Without a listener, an idle connection that ends would end the process.
  pool.on('error', () => {});
  const store = new PostgresInboxStore({ client: pool, application, migrate: false, schema, ...payloads });
  return {
    store,
    async close() {
      await store.close();
      await pool.end();
    },
  };
}

async function openRedisInbox(
  url: string,
  options: InboxStoreOptions,
  payloads: PayloadOptions,
): Promise<OpenInbox> {
  const { schema, prefix } = options;
  const application = requireApplicationOption('Redis', options);
  if (schema !== undefined) throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore('--schema', 'Redis'));
  const { Redis } = await importDriver<typeof import('ioredis')>('Redis', ['ioredis']);
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
  });
  const store = new RedisInboxStore({ client, application, keyPrefix: prefix, ...payloads });
  let cause: unknown;
  // The rejection of connect() does not say why; this event does.
  client.on('error', (error) => {
    cause = error;
  });
  try {
    await client.connect();
  } catch (error) {
    throw new CliFailureError(CLI_MESSAGES.inboxFailed(reasonOf(cause ?? error)));
  }
  return {
    store,
    async close() {
      await client.quit();
    },
  };
}

function requireApplicationOption(store: string, { application }: InboxStoreOptions): string {
  if (application === undefined) throw new CliUsageError(CLI_MESSAGES.applicationMissing(store));
  return application;
}

type SqliteConnection = new (path: string) => SqliteDatabase & { close(): void };

// Drivers that the application may have installed come before the one in Node, which is still experimental.
const SQLITE_DRIVERS = ['libsql', 'better-sqlite3', 'node:sqlite'];
const DEFAULT_TABLE_PREFIX = 'scalekit_webhooks_';

async function openSqliteInbox(
  url: string,
  options: InboxStoreOptions,
  payloads: PayloadOptions,
): Promise<OpenInbox> {
  const { prefix } = options;
  for (const option of ['application', 'schema'] as const) {
    if (options[option] === undefined) continue;
    throw new CliUsageError(CLI_MESSAGES.optionOfOtherStore(`--${option}`, 'SQLite'));
  }
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  if (!existsSync(path)) throw new CliFailureError(CLI_MESSAGES.sqliteFileMissing(path));
  const driver = await importDriver<SqliteConnection | { DatabaseSync: SqliteConnection }>(
    'SQLite',
    SQLITE_DRIVERS,
  );
  const database = new ('DatabaseSync' in driver ? driver.DatabaseSync : driver)(path);
  const store = new SqliteInboxStore({ database, tablePrefix: prefix, ...payloads });
  if (!hasTable(database, `${prefix ?? DEFAULT_TABLE_PREFIX}events`)) {
    database.close();
    throw new CliFailureError(CLI_MESSAGES.inboxNotFound(path));
  }
  return {
    store,
    async close() {
      await store.close();
      database.close();
    },
  };
}

function hasTable(database: SqliteDatabase, name: string): boolean {
  const tables = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  return tables.all(name).length > 0;
}

/**
 * Imports the first of these packages that is installed, either next to this package or in the current folder.
 *
 * @typeParam Driver what the package exports; all drivers are CommonJS or built in, so it is the default import
 * @throws CliUsageError that says what to install
 */
export async function importDriver<Driver>(
  store: string,
  packages: readonly string[],
  missing = CLI_MESSAGES.driverMissing(store, packages),
): Promise<Driver> {
  for (const name of packages) {
    for (const locate of [() => name, () => locateFromCurrentFolder(name)]) {
      try {
        return (await import(locate())).default;
      } catch (error) {
        if (!NOT_INSTALLED.has(errorField(error, 'code') ?? '')) throw error;
      }
    }
  }
  throw new CliUsageError(missing);
}

const NOT_INSTALLED = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE']);

function locateFromCurrentFolder(name: string): string {
  if (name.startsWith('node:')) return name;
  return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(name)).href;
}
