import { type Command, Option } from 'commander';
import { type InboxEntry, type InboxPage, RUN_STATES, type RunState } from '../inbox/inbox-queries.js';
import { type InboxStore } from '../inbox/inbox-store.js';

/** The environment variable with the URL of the inbox. */
export const INBOX_URL_VARIABLE = 'SCALEKIT_INBOX_URL';

/** The name of an endpoint whose options set none. */
export const DEFAULT_ENDPOINT = 'default';

/** Which inbox to use. */
export interface InboxStoreOptions {
  readonly store?: string;
  readonly application?: string;
  readonly schema?: string;
  readonly prefix?: string;
}

/** Which of its entries to use. */
export interface InboxFilterOptions {
  readonly endpoint?: string;
  readonly type?: string;
  readonly state?: RunState;
  readonly limit: number;
}

const PAGE_SIZE = 200;

export function addStoreOptions(command: Command): Command {
  return command
    .option(
      '--store <url>',
      `inbox: postgres://..., redis://... or sqlite:<file> (default: ${INBOX_URL_VARIABLE})`,
    )
    .option(
      '--application <name>',
      'Postgres, Redis: application option of your store; required for these inboxes',
    )
    .option('--schema <name>', 'Postgres: schema of the tables, if your application sets it')
    .option('--prefix <text>', 'Redis, SQLite: prefix of the keys or tables, if your application sets it');
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--type <type>', 'only events of this type')
    .addOption(
      new Option('--state <state>', 'only events with a run in this state').choices([...RUN_STATES]),
    );
}

/** Reads the entries that the options select, oldest first, page by page. */
export async function readEntries(
  store: InboxStore,
  { endpoint, type, state, limit }: InboxFilterOptions,
  cursor?: string,
): Promise<InboxPage> {
  const entries: InboxEntry[] = [];
  let nextCursor = cursor;
  do {
    const pageLimit = Math.min(limit - entries.length, PAGE_SIZE);
    const page = await store.list({ endpoint, type, state }, { limit: pageLimit, cursor: nextCursor });
    entries.push(...page.entries);
    nextCursor = page.nextCursor;
  } while (nextCursor !== undefined && entries.length < limit);
  return { entries, nextCursor };
}
