import { Command, CommanderError } from 'commander';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { CliFailureError } from './cli.errors.js';
import { CliContext, CliIo } from './cli-io.js';
import { addEventsCommand } from './events.command.js';
import { addInboxCommand } from './inbox.command.js';
import { addTriggerCommand } from './trigger.command.js';
import { addVerifyCommand } from './verify.command.js';

/** The version in package.json; a test compares the two. */
const VERSION = '0.1.0';

const FAILURE = 1;
const USAGE_ERROR = 2;

/**
 * Runs the command line tool.
 *
 * @param argv what follows the tool's name
 * @returns the exit code: 0 for success, 1 for failure, 2 when it was called wrongly
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const context: CliContext = { io, exitCode: 0 };
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    // Commander has written its own errors already, and throws for --help and --version too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
    if (!(error instanceof ScalekitWebhooksError)) throw error;
    io.stderr.write(`error: ${error.message}\n`);
    return error instanceof CliFailureError ? FAILURE : USAGE_ERROR;
  }
}

function createProgram(context: CliContext): Command {
  const { stdout, stderr } = context.io;
  const program = new Command('scalekit-webhooks')
    .description('Try out and debug a Scalekit webhook endpoint.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError('(add --help for usage)')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks events
  $ scalekit-webhooks trigger user.created
  $ scalekit-webhooks verify --headers headers.txt --body body.json
  $ scalekit-webhooks inbox list --store sqlite:ledger.db --state dead`,
    );
  addTriggerCommand(program, context);
  addVerifyCommand(program, context);
  addEventsCommand(program, context);
  addInboxCommand(program, context);
  return program;
}
