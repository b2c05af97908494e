import type { Command } from 'commander';
import { parseSigningSecret, SECRET_VARIABLE } from '../verify/signing-secret.js';
import { CliUsageError } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { DEFAULT_URL, findSecrets, parseHttpUrl, parsePositiveInteger } from './cli.options.js';
import type { CliContext, CliIo } from './cli-io.js';
import {
  addFilterOptions,
  addStoreOptions,
  DEFAULT_ENDPOINT,
  INBOX_URL_VARIABLE,
  type InboxFilterOptions,
  type InboxStoreOptions,
} from './inbox.options.js';
import { InboxReplay } from './inbox-replay.js';
import { withInbox } from './open-inbox.js';

interface ReplayCommandOptions extends InboxStoreOptions, InboxFilterOptions {
  readonly endpoint: string;
  readonly handler?: readonly string[];
  readonly limit: number;
  readonly url: URL;
  readonly secret?: string;
}

const DEFAULT_LIMIT = 1000;

/** `inbox replay`: posts received events to the application once more. */
export function addInboxReplayCommand(inbox: Command, context: CliContext): void {
  const command = inbox
    .command('replay')
    .description(
      'Have received events handled again: their handlers that are not done, dead ones included, may run once more, ' +
        'and the events are posted to the application, freshly signed. The exit code is 0 if every answer is a 2xx, else 1.',
    )
    .argument('[event]', 'event id; without one, all that match --type and --state')
    .option('--endpoint <name>', 'the endpoint that received them', DEFAULT_ENDPOINT);
  addStoreOptions(addFilterOptions(command))
    .option('--handler <id>', 'reopen this handler instead, even where it is done; may be repeated', collect)
    .option('--limit <n>', 'how many events at most', parsePositiveInteger, DEFAULT_LIMIT)
    .option('--url <url>', 'where the application receives them', parseHttpUrl, new URL(DEFAULT_URL))
    .option('--secret <secret>', `signing secret (default: the first one in ${SECRET_VARIABLE})`)
    .addHelpText(
      'after',
      `
Examples:
  $ export ${SECRET_VARIABLE}=whsec_... ${INBOX_URL_VARIABLE}=postgres://localhost/shop
  $ scalekit-webhooks inbox replay evt_123
  $ scalekit-webhooks inbox replay evt_123 --handler SeatHandlers.count
  $ scalekit-webhooks inbox replay --state dead --url https://shop.example/webhooks/scalekit`,
    )
    .action(async (eventId: string | undefined, options: ReplayCommandOptions) => {
      context.exitCode = (await replay(eventId, options, context.io)) ? 0 : 1;
    });
}

function replay(eventId: string | undefined, options: ReplayCommandOptions, io: CliIo): Promise<boolean> {
  const { endpoint, type, state, limit, url, handler } = options;
  const hasFilter = type !== undefined || state !== undefined;
  if ((eventId !== undefined) === hasFilter) throw new CliUsageError(CLI_MESSAGES.replayWhat);
  const secret = parseSigningSecret(findSecrets(options.secret, io)[0]);
  return withInbox(options, io, (store) => {
    const task = new InboxReplay(store, { url, secret, handlers: handler, io });
    if (eventId !== undefined) return task.one({ endpoint, eventId });
    return task.all({ endpoint, ...(type && { type }), ...(state && { state }) }, limit);
  });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
