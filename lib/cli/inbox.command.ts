import type { Command } from 'commander';
import type { CliContext } from './cli-io.js';
import { INBOX_URL_VARIABLE } from './inbox.options.js';
import { addInboxListCommand } from './inbox-list.command.js';
import { addInboxPruneCommand } from './inbox-prune.command.js';
import { addInboxReplayCommand } from './inbox-replay.command.js';
import { addInboxShowCommand } from './inbox-show.command.js';

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
