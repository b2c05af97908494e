import type { Command } from 'commander';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliContext } from './cli-io.js';
import { addStoreOptions, type InboxStoreOptions, parseBefore } from './inbox.options.js';
import { withInbox } from './open-inbox.js';

interface PruneOptions extends InboxStoreOptions {
  readonly before: Date;
}

/** `inbox prune`: forgets old events. */
export function addInboxPruneCommand(inbox: Command, { io }: CliContext): void {
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
