import type { Command } from 'commander';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import type { CliContext } from './cli-io.js';

/** `events`: lists the event types that this version knows. */
export function addEventsCommand(program: Command, { io }: CliContext): void {
  program
    .command('events')
    .description('List the event types that this version knows.')
    .option('--json', 'print a JSON array')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks events
  $ scalekit-webhooks events --json`,
    )
    .action(({ json }: { json?: boolean }) => {
      const text = json ? JSON.stringify(SCALEKIT_EVENT_TYPES, null, 2) : SCALEKIT_EVENT_TYPES.join('\n');
      io.stdout.write(`${text}\n`);
    });
}
