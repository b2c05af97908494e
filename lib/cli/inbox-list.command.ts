import type { Command } from 'commander';
import type { InboxEntry } from '../inbox/inbox-entry.js';
import type { InboxPage, InboxStore } from '../inbox/inbox-store.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { parsePositiveInteger } from './cli.options.js';
import type { CliContext } from './cli-io.js';
import {
  addFilterOptions,
  addStoreOptions,
  type InboxFilterOptions,
  type InboxStoreOptions,
  toFilter,
} from './inbox.options.js';
import { entryLine } from './inbox-entry.text.js';
import { withInbox } from './open-inbox.js';

interface ListOptions extends InboxStoreOptions, InboxFilterOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

const DEFAULT_LIMIT = 50;
const PAGE_SIZE = 200;

/** `inbox list`: the events that were received, oldest first, and how their handlers fared. */
export function addInboxListCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('list')
    .description('List events, oldest first, and how their handlers fared. Never a payload.')
    .option('--endpoint <name>', 'only events of this endpoint');
  addStoreOptions(addFilterOptions(command))
    .option('--limit <n>', 'how many at most', parsePositiveInteger, DEFAULT_LIMIT)
    .option('--cursor <cursor>', 'where to go on, as the list before said')
    .option('--json', 'as a JSON object with entries and nextCursor')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox list --store redis://localhost:6379 --state dead
  $ scalekit-webhooks inbox list --store sqlite:ledger.db --type user.created --json`,
    )
    .action(async (options: ListOptions) => {
      const { entries, nextCursor } = await withInbox(options, io, (store) => readEntries(store, options));
      if (options.json) {
        io.stdout.write(`${JSON.stringify({ entries, nextCursor }, null, 2)}\n`);
        return;
      }
      for (const entry of entries) io.stdout.write(`${entryLine(entry)}\n`);
      if (entries.length === 0) io.stderr.write(`${CLI_MESSAGES.noEntries}\n`);
      if (nextCursor !== undefined) io.stderr.write(`${CLI_MESSAGES.moreEntries(nextCursor)}\n`);
    });
}

async function readEntries(store: InboxStore, options: ListOptions): Promise<InboxPage> {
  const entries: InboxEntry[] = [];
  let { cursor } = options;
  do {
    const limit = Math.min(options.limit - entries.length, PAGE_SIZE);
    const page = await store.list(toFilter(options), { limit, ...(cursor !== undefined && { cursor }) });
    entries.push(...page.entries);
    cursor = page.nextCursor;
  } while (cursor !== undefined && entries.length < options.limit);
  return { entries, ...(cursor !== undefined && { nextCursor: cursor }) };
}
