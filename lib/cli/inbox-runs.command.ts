import type { Command } from 'commander';
import { sanitizeLine } from '../errors/safe-text.js';
import { countRuns, type InboxEntry, type InboxRunCount, RUN_STATES } from '../inbox/inbox-queries.js';
import { type InboxStore } from '../inbox/inbox-store.js';
import { isEncryptionStore } from '../inbox/inbox-work.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliContext, CliIo } from './cli-io.js';
import {
  addFilterOptions,
  addStoreOptions,
  CliFailureError,
  CliUsageError,
  collect,
  DEFAULT_ENDPOINT,
  type InboxFilterOptions,
  type InboxStoreOptions,
  parsePositiveInteger,
  readEntries,
  requireEvents,
  toFilter,
} from './cli-io.js';
import { INBOX_KEYS_VARIABLE, withInbox } from './open-inbox.js';

const DEFAULT_LIMIT = 1000;

interface DismissOptions extends InboxStoreOptions, InboxFilterOptions {
  readonly endpoint: string;
  readonly handler?: readonly string[];
}

/** `inbox dismiss`: marks dead and failed runs as done. */
export function addInboxDismissCommand(inbox: Command, context: CliContext): void {
  const command = inbox
    .command('dismiss')
    .summary('Mark dead and failed runs as done, without running them.')
    .description(
      'Mark dead and failed runs that need no replay as done, without running them. They keep their error.\n\n' +
        'The exit code is 1 if there was nothing to dismiss.',
    )
    .argument('[event]', 'event ID; leave it out to dismiss the runs of all events that match the conditions')
    .option('--endpoint <name>', 'endpoint that received the events', DEFAULT_ENDPOINT);
  addStoreOptions(addFilterOptions(command))
    .option('--handler <id>', 'dismiss only the run of this handler; repeatable', collect)
    .option('--limit <n>', 'maximum number of events', parsePositiveInteger, DEFAULT_LIMIT)
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox dismiss evt_123 --application shop
  $ scalekit-webhooks inbox dismiss evt_123 --application shop --handler SeatHandlers.take
  $ scalekit-webhooks inbox dismiss --state dead --type user.created --application shop`,
    )
    .action(async (eventId: string | undefined, options: DismissOptions) => {
      context.exitCode = (await dismiss(eventId, options, context.io)) ? 0 : 1;
    });
}

/** Resolves to whether a run was dismissed. */
function dismiss(eventId: string | undefined, options: DismissOptions, io: CliIo): Promise<boolean> {
  const { endpoint, handler: handlerIds } = options;
  requireEvents(options, eventId);
  return withInbox(options, io, async (store) => {
    const entries =
      eventId === undefined
        ? (await readEntries(store, options)).entries
        : [await requireEntry(store, endpoint, eventId, handlerIds)];
    let total = 0;
    for (const entry of entries) {
      const dismissed = await store.dismiss(entry, handlerIds);
      total += dismissed.length;
      if (dismissed.length > 0)
        io.stdout.write(
          `${CLI_MESSAGES.dismissed(sanitizeLine(entry.eventId), dismissed.map(sanitizeLine))}\n`,
        );
    }
    if (total === 0) io.stderr.write(`${CLI_MESSAGES.nothingToDismiss}\n`);
    return total > 0;
  });
}

/** @throws CliFailureError if the inbox does not have the event, or the event has no run of one of the handlers */
async function requireEntry(
  store: InboxStore,
  endpoint: string,
  eventId: string,
  handlerIds: readonly string[] = [],
): Promise<InboxEntry> {
  const entry = await store.get({ endpoint, eventId });
  if (!entry) throw new CliFailureError(CLI_MESSAGES.eventUnknown(eventId, endpoint));
  const known = entry.runs.map(({ handlerId }) => handlerId);
  const unknown = handlerIds.find((id) => !known.includes(id));
  if (unknown !== undefined)
    throw new CliFailureError(CLI_MESSAGES.runUnknown(unknown, known.map(sanitizeLine)));
  return entry;
}

interface StatsOptions extends InboxStoreOptions, Omit<InboxFilterOptions, 'limit'> {
  readonly json?: boolean;
}

/** `inbox stats`: counts runs by handler and state. */
export function addInboxStatsCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('stats')
    .summary('Count the runs of each handler by state.')
    .description(
      'Count the runs of each handler by state. With --state, --run-of or --error, only the runs that match.\n\n' +
        'Without a condition other than --endpoint or --state done, Redis has to read every event.',
    )
    .option('--endpoint <name>', 'only runs of this endpoint');
  addStoreOptions(addFilterOptions(command))
    .option('--json', 'print a JSON array')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox stats --store postgres://localhost/shop --application shop
  $ scalekit-webhooks inbox stats --application shop --state dead --received-after 2h
  $ scalekit-webhooks inbox stats --store sqlite:inbox.db --json`,
    )
    .action(async (options: StatsOptions) => {
      const counts = await withInbox(options, io, (store) => countRuns(store, toFilter(options)));
      const sorted = [...counts].sort((one, other) => compare(sortKey(one), sortKey(other)));
      if (options.json) {
        io.stdout.write(`${JSON.stringify(sorted, null, 2)}\n`);
        return;
      }
      for (const line of statsLines(sorted)) io.stdout.write(`${line}\n`);
      if (sorted.length === 0) io.stderr.write(`${CLI_MESSAGES.noRuns}\n`);
    });
}

function sortKey({ endpoint, handlerId, state }: InboxRunCount): string {
  return [endpoint, handlerId, RUN_STATES.indexOf(state)].join('\0');
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** A line for each handler of each endpoint, and the totals. */
function statsLines(counts: readonly InboxRunCount[]): string[] {
  const lines = new Map<string, string[]>();
  for (const count of counts) {
    const name = [count.endpoint, count.handlerId].map(sanitizeLine).join('  ');
    lines.set(name, [...(lines.get(name) ?? []), countText(count)]);
  }
  const totals = RUN_STATES.flatMap((state) => {
    const count = counts.filter((one) => one.state === state).reduce((sum, one) => sum + one.count, 0);
    return count > 0 ? [`${state} ${count}`] : [];
  });
  return [
    ...[...lines].map(([name, ofHandler]) => `${name}  ${ofHandler.join(', ')}`),
    ...(lines.size > 1 ? [CLI_MESSAGES.totalRuns(totals)] : []),
  ];
}

function countText({ state, count, oldestReceivedAt }: InboxRunCount): string {
  return state === 'done'
    ? `${state} ${count}`
    : `${state} ${count} (oldest ${oldestReceivedAt.toISOString()})`;
}

interface ReencryptOptions extends InboxStoreOptions {
  readonly cursor?: string;
}

const REENCRYPT_PAGE = 200;
const PROGRESS_EVERY = 10_000;

/** `inbox reencrypt`: encrypts all payloads with the first key. */
export function addInboxReencryptCommand(inbox: Command, context: CliContext): void {
  const command = inbox
    .command('reencrypt')
    .summary('Encrypt all payloads with the first key.')
    .description(
      `Encrypt all payloads with the first key in ${INBOX_KEYS_VARIABLE}, including payloads that are plain text or encrypted with another key. Your application can keep running.\n\n` +
        'The exit code is 1 if payloads cannot be decrypted.',
    );
  addStoreOptions(command)
    .option('--cursor <cursor>', 'where to continue, as printed before the command was interrupted')
    .addHelpText(
      'after',
      `
Examples:
  $ export ${INBOX_KEYS_VARIABLE}=2027-01:<new secret>,2026-01:<old secret>
  $ scalekit-webhooks inbox reencrypt --store postgres://localhost/shop --application shop
  $ scalekit-webhooks inbox reencrypt --store sqlite:inbox.db`,
    )
    .action(async (options: ReencryptOptions) => {
      context.exitCode = (await reencrypt(options, context.io)) ? 0 : 1;
    });
}

/** Resolves to whether all payloads could be decrypted. */
function reencrypt({ cursor: start, ...options }: ReencryptOptions, io: CliIo): Promise<boolean> {
  return withInbox(options, io, async (store) => {
    if (!io.env[INBOX_KEYS_VARIABLE] || !isEncryptionStore(store)) {
      throw new CliUsageError(CLI_MESSAGES.inboxKeysMissing(INBOX_KEYS_VARIABLE));
    }
    let [rewritten, unchanged, unreadable, reported] = [0, 0, 0, 0];
    let cursor = start;
    do {
      const page = await store
        .reencrypt({ limit: REENCRYPT_PAGE, ...(cursor !== undefined && { cursor }) })
        .catch((error: unknown) => {
          if (cursor !== undefined) io.stderr.write(`${CLI_MESSAGES.reencryptFailed(cursor)}\n`);
          throw error;
        });
      rewritten += page.rewritten;
      unchanged += page.unchanged;
      unreadable += page.unreadable.length;
      for (const { endpoint, eventId } of page.unreadable) {
        const line = CLI_MESSAGES.unreadableEntry(sanitizeLine(endpoint), sanitizeLine(eventId));
        io.stderr.write(`${line}\n`);
      }
      cursor = page.nextCursor;
      const total = rewritten + unchanged + unreadable;
      if (cursor !== undefined && total - reported >= PROGRESS_EVERY) {
        io.stderr.write(`${CLI_MESSAGES.reencrypting(total, cursor)}\n`);
        reported = total;
      }
    } while (cursor !== undefined);
    io.stdout.write(`${CLI_MESSAGES.reencrypted(rewritten, unchanged, unreadable)}\n`);
    return unreadable === 0;
  });
}
