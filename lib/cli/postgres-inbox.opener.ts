import { PostgresInboxStore } from '../postgres/postgres-inbox.store.js';
import { isPostgresQueryable } from '../postgres/postgres-queryable.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { CliUsageError } from './cli-usage.error.js';
import { importDriver } from './import-driver.js';
import { callMethod, type InboxLocation, type OpenedInbox } from './opened-inbox.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** Opens the inbox of a `postgres://` URL with `pg`. It makes no tables: a mistyped URL must leave nothing behind. */
export async function openPostgresInbox({ url, schema, prefix }: InboxLocation): Promise<OpenedInbox> {
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
