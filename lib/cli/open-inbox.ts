import { ScalekitWebhooksConfigurationError } from '../errors/configuration.error.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { CliFailureError } from './cli-failure.error.js';
import type { CliIo } from './cli-io.js';
import { CliUsageError } from './cli-usage.error.js';
import { errorField } from './error-field.js';
import { INBOX_URL_VARIABLE, type InboxStoreOptions } from './inbox.options.js';
import type { InboxLocation, OpenedInbox } from './opened-inbox.js';
import { openPostgresInbox } from './postgres-inbox.opener.js';
import { reasonOf } from './reason-of.js';
import { openRedisInbox } from './redis-inbox.opener.js';
import { openSqliteInbox } from './sqlite-inbox.opener.js';

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
