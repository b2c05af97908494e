import {
  checkOptions,
  type OptionChecks,
  optional,
  refuseSetting,
  requireDurationMs,
  requireRetentionMs,
} from '../errors/settings.js';
import { DEFAULT_RETENTION_MS, PAYLOAD_CHECKS, type PayloadOptions } from '../inbox/inbox-options.js';
import { PayloadProtection } from '../inbox/payload-protection.js';
import { isSqliteDatabase, MESSAGES, type SqliteClient, type SqliteDatabase } from './sqlite-database.js';

/** Options of `SqliteInboxStore`. */
export interface SqliteInboxOptions extends PayloadOptions {
  /**
   * An open connection of `node:sqlite`, `better-sqlite3` or `libsql`. Give the inbox a connection of its own. To use
   * `delivery.transaction`, open it on the same file as your tables. The store never closes it.
   */
  database: SqliteClient;
  /**
   * The prefix of the table names: 1 to 40 letters, digits and `_`, not starting with a digit.
   * @default 'scalekit_webhooks_'
   */
  tablePrefix?: string;
  /**
   * How long to keep an event, in milliseconds. Keep events for longer than Scalekit retries them: 28 hours.
   * @default 2592000000 (30 days)
   */
  retentionMs?: number;
  /**
   * How long a claim or a settlement waits for other transactions before it rejects, in milliseconds. Waiting does not
   * block the event loop.
   * @default 5000
   */
  busyTimeoutMs?: number;
}

const DEFAULT_TABLE_PREFIX = 'scalekit_webhooks_';
const DEFAULT_BUSY_TIMEOUT_MS = 5000;

// SQLite reserves names that start with sqlite_.
const TABLE_PREFIX = /^(?!sqlite_)[a-z_][a-z0-9_]{0,39}$/i;

const CHECKS: OptionChecks<SqliteInboxOptions> = {
  database: requireDatabase,
  tablePrefix: optional(requireTablePrefix),
  retentionMs: optional(requireRetentionMs),
  busyTimeoutMs: optional(requireDurationMs),
  ...PAYLOAD_CHECKS,
};

function requireDatabase(setting: string, value: unknown): asserts value is SqliteDatabase {
  if (!isSqliteDatabase(value)) refuseSetting(setting, MESSAGES.notSqliteDatabase(setting));
}

function requireTablePrefix(setting: string, value: unknown): void {
  if (typeof value === 'string' && TABLE_PREFIX.test(value)) return;
  refuseSetting(setting, MESSAGES.tablePrefixInvalid(value));
}

/** The options with their defaults. */
interface ResolvedOptions extends Readonly<Required<Omit<SqliteInboxOptions, keyof PayloadOptions>>> {
  readonly database: SqliteDatabase;
  readonly protection: PayloadProtection;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid
 */
export function resolveOptions(options: SqliteInboxOptions): ResolvedOptions {
  const checked = checkOptions(options, CHECKS);
  const {
    database,
    tablePrefix = DEFAULT_TABLE_PREFIX,
    retentionMs = DEFAULT_RETENTION_MS,
    busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS,
  } = checked;
  requireDatabase('database', database);
  return { database, tablePrefix, retentionMs, busyTimeoutMs, protection: new PayloadProtection(checked) };
}
