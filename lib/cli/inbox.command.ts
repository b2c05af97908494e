import type { Command } from 'commander';
import { sanitizeLine, sanitizeText } from '../errors/safe-text.js';
import type { InboxEntry } from '../inbox/inbox-queries.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliContext, CliIo } from './cli-io.js';
import {
  addFilterOptions,
  addStoreOptions,
  CliFailureError,
  CliUsageError,
  DEFAULT_ENDPOINT,
  INBOX_URL_VARIABLE,
  type InboxFilterOptions,
  type InboxStoreOptions,
  parseEntity,
  parsePastTime,
  parsePositiveInteger,
  parseText,
  readEntries,
} from './cli-io.js';
import { addInboxReplayCommand, missingPayload } from './inbox-replay.command.js';
import {
  addInboxDismissCommand,
  addInboxReencryptCommand,
  addInboxStatsCommand,
} from './inbox-runs.command.js';
import { withInbox } from './open-inbox.js';

/** `inbox`: inspects, replays, erases and prunes the events in an application's inbox. */
export function addInboxCommand(program: Command, context: CliContext): void {
  const inbox = program
    .command('inbox')
    .description("Inspect, replay, erase and prune the events in your application's inbox.")
    .addHelpText(
      'after',
      `
Examples:
  $ export ${INBOX_URL_VARIABLE}=postgres://localhost/shop
  $ scalekit-webhooks inbox list --application shop --state dead
  $ scalekit-webhooks inbox show evt_123 --application shop
  $ scalekit-webhooks inbox replay evt_123 --application shop
  $ scalekit-webhooks inbox dismiss evt_123 --application shop
  $ scalekit-webhooks inbox erase --organization org_1 --application shop
  $ scalekit-webhooks inbox prune --before 30d --application shop`,
    );
  addInboxListCommand(inbox, context);
  addInboxShowCommand(inbox, context);
  addInboxStatsCommand(inbox, context);
  addInboxReplayCommand(inbox, context);
  addInboxDismissCommand(inbox, context);
  addInboxEraseCommand(inbox, context);
  addInboxPruneCommand(inbox, context);
  addInboxReencryptCommand(inbox, context);
}

interface ListOptions extends InboxStoreOptions, InboxFilterOptions {
  readonly cursor?: string;
  readonly json?: boolean;
}

const DEFAULT_LIMIT = 50;

function addInboxListCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('list')
    .summary('List events and the state of their runs.')
    .description('List events, oldest first, and the state of their runs. Payloads are not shown.')
    .option('--endpoint <name>', 'only events of this endpoint');
  addStoreOptions(addFilterOptions(command))
    .option('--limit <n>', 'maximum number of events', parsePositiveInteger, DEFAULT_LIMIT)
    .option('--cursor <cursor>', 'where to continue, as printed by the previous list')
    .option('--json', 'print a JSON object with entries and nextCursor')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox list --store redis://localhost:6379 --application shop --state dead
  $ scalekit-webhooks inbox list --application shop --run-of SeatHandlers.take --error timeout --received-after 2h
  $ scalekit-webhooks inbox list --store sqlite:inbox.db --type user.created --json`,
    )
    .action(async (options: ListOptions) => {
      const page = await withInbox(options, io, (store) => readEntries(store, options, options.cursor));
      if (options.json) {
        io.stdout.write(`${JSON.stringify(page, null, 2)}\n`);
        return;
      }
      for (const entry of page.entries) io.stdout.write(`${entryLine(entry)}\n`);
      if (page.entries.length === 0) io.stderr.write(`${CLI_MESSAGES.noEntries(options.application)}\n`);
      if (page.nextCursor !== undefined) io.stderr.write(`${CLI_MESSAGES.moreEntries(page.nextCursor)}\n`);
    });
}

function entryLine({ receivedAt, endpoint, eventId, type, erasedAt, runs }: InboxEntry): string {
  const states = runs.map(({ handlerId, state }) => `${handlerId} ${state}`).join(', ');
  const parts = [receivedAt.toISOString(), endpoint, eventId, type, ...(erasedAt ? ['erased'] : []), states];
  return parts.map(sanitizeLine).join('  ').trimEnd();
}

interface ShowOptions extends InboxStoreOptions {
  readonly endpoint: string;
  readonly payload?: boolean;
  readonly json?: boolean;
}

function addInboxShowCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('show')
    .summary('Show an event and its runs.')
    .description('Show an event and its runs.\n\nThe exit code is 1 if the inbox does not have the event.')
    .argument('<event>', 'event ID, for example evt_123')
    .option('--endpoint <name>', 'endpoint that received the event', DEFAULT_ENDPOINT);
  addStoreOptions(command)
    .option('--payload', 'also print the payload, which can contain personal data')
    .option('--json', 'print a JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox show evt_123 --store postgres://localhost/shop --application shop
  $ scalekit-webhooks inbox show evt_123 --store sqlite:inbox.db --payload --json`,
    )
    .action(async (eventId: string, options: ShowOptions) => {
      const { entry, payload } = await withInbox(options, io, async (store) => {
        const key = { endpoint: options.endpoint, eventId };
        const found = await store.get(key);
        if (!found) throw new CliFailureError(CLI_MESSAGES.eventUnknown(eventId, options.endpoint));
        const bytes = options.payload ? await store.payload(key) : undefined;
        return { entry: found, payload: bytes && Buffer.from(bytes).toString() };
      });
      if (options.json) {
        // The payload stays a string: parsed, it would no longer show exactly what was received.
        io.stdout.write(`${JSON.stringify({ ...entry, payload }, null, 2)}\n`);
        return;
      }
      const lines = entryLines(entry);
      if (options.payload) {
        lines.push('', payload === undefined ? missingPayload(entry) : sanitizeText(payload));
      }
      io.stdout.write(`${lines.join('\n')}\n`);
    });
}

function entryLines({
  receivedAt,
  occurredAt,
  runs,
  organizationId,
  entity,
  erasedAt,
  ...entry
}: InboxEntry): string[] {
  return [
    CLI_MESSAGES.entryField('Event', entry.eventId),
    CLI_MESSAGES.entryField('Type', entry.type),
    CLI_MESSAGES.entryField('Endpoint', entry.endpoint),
    ...(organizationId === undefined ? [] : [CLI_MESSAGES.entryField('Org.', organizationId)]),
    ...(entity === undefined ? [] : [CLI_MESSAGES.entryField('Entity', entity)]),
    CLI_MESSAGES.entryField('Occurred', occurredAt),
    CLI_MESSAGES.entryField('Received', receivedAt.toISOString()),
    ...(erasedAt ? [CLI_MESSAGES.entryField('Erased', erasedAt.toISOString())] : []),
    ...runs.flatMap(({ handlerId, state, attempts, updatedAt, error, note }) => [
      CLI_MESSAGES.entryField('Handler', handlerId),
      CLI_MESSAGES.runState(state, attempts, updatedAt.toISOString(), note),
      ...(error ? [CLI_MESSAGES.runError(error.name, error.message)] : []),
    ]),
    // Not sanitizeLine, which would remove the indentation.
  ].map((line) => line.replaceAll(/[\p{C}\s]/gu, ' '));
}

interface EraseOptions extends InboxStoreOptions {
  readonly endpoint?: string;
  readonly organization?: string;
  readonly entity?: string;
  readonly yes?: boolean;
}

function addInboxEraseCommand(inbox: Command, context: CliContext): void {
  const command = inbox
    .command('erase')
    .summary('Erase the personal data of an organization or an entity.')
    .description(
      'Erase the payloads, headers and error messages of all events of an organization, or of all events about an entity. IDs, states and times stay, so that a duplicate is still recognized.\n\n' +
        'Without --yes, the command prints how many events match, erases nothing, and exits with code 1.',
    )
    .option('--organization <id>', 'events of this organization', parseText)
    .option('--entity <entity>', 'events about this entity, for example user:usr_1', parseEntity)
    .option('--endpoint <name>', 'only events of this endpoint (default: all endpoints)');
  addStoreOptions(command)
    .option('--yes', 'erase them permanently')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox erase --organization org_1 --store postgres://localhost/shop --application shop
  $ scalekit-webhooks inbox erase --entity user:usr_1 --store sqlite:inbox.db --yes`,
    )
    .action(async (options: EraseOptions) => {
      context.exitCode = await erase(options, context.io);
    });
}

/** Resolves to the exit code. */
function erase({ organization, entity, ...options }: EraseOptions, io: CliIo): Promise<number> {
  const target =
    organization !== undefined && entity === undefined
      ? { organizationId: organization }
      : entity !== undefined && organization === undefined
        ? { entity }
        : undefined;
  if (!target) throw new CliUsageError(CLI_MESSAGES.notOneToErase);
  const which = { ...target, endpoint: options.endpoint };
  return withInbox(options, io, async (store) => {
    if (!options.yes) {
      io.stdout.write(`${CLI_MESSAGES.notErased(await store.count(which))}\n`);
      return 1;
    }
    io.stdout.write(`${CLI_MESSAGES.erased((await store.erase?.(which)) ?? 0)}\n`);
    return 0;
  });
}

interface PruneOptions extends InboxStoreOptions {
  readonly before: Date;
}

function addInboxPruneCommand(inbox: Command, { io }: CliContext): void {
  const command = inbox
    .command('prune')
    .summary('Delete old events.')
    .description(
      'Delete events that were received before a given time, for all endpoints of the application. Events with a run in progress are kept.\n\n' +
        'If a deleted event is delivered again, it is handled again.',
    )
    .requiredOption('--before <time>', 'ISO 8601 date, or age such as 30d or 12h', parsePastTime);
  addStoreOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks inbox prune --before 30d --store postgres://localhost/shop --application shop
  $ scalekit-webhooks inbox prune --before 2026-01-31 --store sqlite:inbox.db`,
    )
    .action(async (options: PruneOptions) => {
      const count = await withInbox(options, io, (store) => store.prune(options.before));
      io.stdout.write(`${CLI_MESSAGES.pruned(count, options.before.toISOString())}\n`);
    });
}
