import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { requirePositiveInteger } from '../errors/settings.js';
import { DEFAULT_RETENTION_MS } from '../inbox/inbox-store.js';
import { MESSAGES } from './sqlite.messages.js';
import { isSqliteDatabase, type SqliteDatabase } from './sqlite-database.js';

/** Where a {@link SqliteInboxStore} keeps its ledger, and for how long. */
export interface SqliteInboxOptions {
  /**
   * An open connection of `node:sqlite`, `better-sqlite3` or `libsql`. Best a connection of its own for the ledger, to
   * the same file as the application's tables if `delivery.complete(tx)` is to be used. The store never closes it.
   */
  database: SqliteDatabase;
  /**
   * What the names of the ledger's tables begin with: letters, digits and `_`, at most 40.
   * @default 'scalekit_webhooks_'
   */
  tablePrefix?: string;
  /**
   * How long an event is remembered, in ms. Keep it longer than Scalekit retries an event: 28 hours.
   * @default 2592000000 (30 days)
   */
  retentionMs?: number;
  /**
   * How long a claim or a settle waits for other transactions to end before it rejects, in ms. The event loop goes on
   * meanwhile.
   * @default 5000
   */
  busyTimeoutMs?: number;
}

const DEFAULT_TABLE_PREFIX = 'scalekit_webhooks_';

const DEFAULT_BUSY_TIMEOUT_MS = 5000;

// SQLite keeps names that begin with sqlite_ for itself.
const TABLE_PREFIX = /^(?!sqlite_)[a-z_][a-z0-9_]{0,39}$/i;

/**
 * The options with their defaults.
 * @throws ScalekitWebhooksConfigurationError when one cannot work
 */
export function resolveSqliteInboxOptions(
  options: SqliteInboxOptions,
): Readonly<Required<SqliteInboxOptions>> {
  const {
    database,
    tablePrefix = DEFAULT_TABLE_PREFIX,
    retentionMs = DEFAULT_RETENTION_MS,
    busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS,
  } = options;
  if (!isSqliteDatabase(database)) {
    throw new ScalekitWebhooksConfigurationError('database', MESSAGES.notASqliteDatabase('database'));
  }
  if (typeof tablePrefix !== 'string' || !TABLE_PREFIX.test(tablePrefix)) {
    throw new ScalekitWebhooksConfigurationError('tablePrefix', MESSAGES.tablePrefixInvalid(tablePrefix));
  }
  for (const [setting, value] of Object.entries({ retentionMs, busyTimeoutMs })) {
    requirePositiveInteger(setting, value);
  }
  return Object.freeze({ database, tablePrefix, retentionMs, busyTimeoutMs });
}
