import type { Command } from 'commander';
import type { InboxEntry } from '../inbox/inbox-entry.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { CliFailureError } from './cli-failure.error.js';
import type { CliContext } from './cli-io.js';
import { addStoreOptions, DEFAULT_ENDPOINT, type InboxStoreOptions } from './inbox.options.js';
import { entryLines } from './inbox-entry.text.js';
import { withInbox } from './open-inbox.js';
import { onItsLines } from './printable.js';

interface ShowOptions extends InboxStoreOptions {
  readonly endpoint: string;
  readonly payload?: boolean;
  readonly json?: boolean;
}

/** `inbox show`: one event, and each of its handlers. */
export function addInboxShowCommand(inbox: Command, { io }: CliContext): void {
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
