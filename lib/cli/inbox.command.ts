import type { Command } from 'commander';
import type { InboxEntry, InboxPage, InboxStore } from '../inbox/inbox-store.js';
import { CliFailureError } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { parsePositiveInteger } from './cli.options.js';
import type { CliContext } from './cli-io.js';
import {
  addFilterOptions,
  addStoreOptions,
  DEFAULT_ENDPOINT,
  INBOX_URL_VARIABLE,
  type InboxFilterOptions,
  type InboxStoreOptions,
  parseBefore,
  toFilter,
} from './inbox.options.js';
import { addInboxReplayCommand } from './inbox-replay.command.js';
import { withInbox } from './open-inbox.js';
import { onItsLines, onOneLine } from './printable.js';

/** An entry on one line. */
function entryLine({ receivedAt, endpoint, eventId, type, runs }: InboxEntry): string {
  const states = runs.map(({ handlerId, state }) => `${handlerId} ${state}`).join(', ');
  return [receivedAt.toISOString(), endpoint, eventId, type, states].map(onOneLine).join('  ').trimEnd();
}

/** An entry with all that is known of its handlers. */
function entryLines({ receivedAt, occurredAt, runs, ...entry }: InboxEntry): string[] {
  return [
    CLI_MESSAGES.entryField('Event', entry.eventId),
    CLI_MESSAGES.entryField('Type', entry.type),
    CLI_MESSAGES.entryField('Endpoint', entry.endpoint),
    CLI_MESSAGES.entryField('Occurred', occurredAt),
    CLI_MESSAGES.entryField('Received', receivedAt.toISOString()),
    ...runs.flatMap(({ handlerId, state, attempts, updatedAt, error }) => [
      CLI_MESSAGES.entryField('Handler', handlerId),
      CLI_MESSAGES.handlerState(state, attempts, updatedAt.toISOString()),
      ...(error ? [CLI_MESSAGES.handlerError(error.name, error.message)] : []),
    ]),
  ].map((line) => line.replaceAll(/[\p{C}\s]/gu, ' '));
}

interface ListOptions extends InboxStoreOptions, InboxFilterOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

const DEFAULT_LIMIT = 50;
const PAGE_SIZE = 200;

/** `inbox list`: the events that were received, oldest first, and how their handlers fared. */
function addInboxListCommand(inbox: Command, { io }: CliContext): void {
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

interface ShowOptions extends InboxStoreOptions {
  readonly endpoint: string;
  readonly payload?: boolean;
  readonly json?: boolean;
}

/** `inbox show`: one event, and each of its handlers. */
function addInboxShowCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('show')
    .description('Show one event, and how each of its handlers fared. The exit code is 1 if it is not there.')
    .argument('<event>', 'event id, such as evt_123')
    .option('--endpoint <name>', 'the endpoint that received it', DEFAULT_ENDPOINT);
  addStoreOptions(command)
    .option('--payload', 'show also what was received, which may hold personal data')
    .option('--json', 'as a JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox show evt_123 --store postgres://localhost/shop
  $ scalekit-webhooks inbox show evt_123 --store sqlite:ledger.db --payload --json`,
    )
    .action(async (eventId: string, options: ShowOptions) => {
      const { entry, payload } = await withInbox(options, io, async (store) => {
        const key = { endpoint: options.endpoint, eventId };
        const found = await store.get(key);
        if (!found) throw new CliFailureError(CLI_MESSAGES.eventUnknown(eventId, options.endpoint));
        const bytes = options.payload ? await store.payload(key) : undefined;
        return { entry: found, payload: bytes && Buffer.from(bytes).toString() };
      });
      const lines = options.json ? [asJson(entry, payload)] : entryLines(entry);
      if (!options.json && options.payload) {
        lines.push('', payload === undefined ? CLI_MESSAGES.payloadMissing : onItsLines(payload));
      }
      io.stdout.write(`${lines.join('\n')}\n`);
    });
}

/** The payload as the text that it is: as JSON it would not show what was received. */
function asJson(entry: InboxEntry, payload: string | undefined): string {
  return JSON.stringify({ ...entry, payload }, null, 2);
}

interface PruneOptions extends InboxStoreOptions {
  readonly before: Date;
}

/** `inbox prune`: forgets old events. */
function addInboxPruneCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('prune')
    .description(
      'Forget the events of all endpoints that were received before a time. Runs in progress are kept. ' +
        'An event that is delivered again after that is handled again.',
    )
    .requiredOption('--before <time>', 'an ISO 8601 date, or how long ago: 30d, 12h', parseBefore);
  addStoreOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox prune --before 30d --store postgres://localhost/shop
  $ scalekit-webhooks inbox prune --before 2026-01-31 --store sqlite:ledger.db`,
    )
    .action(async (options: PruneOptions) => {
      const count = await withInbox(options, io, (store) => store.prune(options.before));
      io.stdout.write(`${CLI_MESSAGES.pruned(count, options.before.toISOString())}\n`);
    });
}

/** `inbox`: looks into an application's inbox, and has events handled again. */
export function addInboxCommand(program: Command, context: CliContext): void {
  const inbox = program
    .command('inbox')
    .description("Look into an application's inbox, and have events handled again.")
    .addHelpText(
      'after',
      `
Examples:
  $ export ${INBOX_URL_VARIABLE}=postgres://localhost/shop
  $ scalekit-webhooks inbox list --state dead
  $ scalekit-webhooks inbox show evt_123
  $ scalekit-webhooks inbox replay evt_123
  $ scalekit-webhooks inbox prune --before 30d`,
    );
  addInboxListCommand(inbox, context);
  addInboxShowCommand(inbox, context);
  addInboxReplayCommand(inbox, context);
  addInboxPruneCommand(inbox, context);
}
