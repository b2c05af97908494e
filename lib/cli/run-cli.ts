import { Command, CommanderError } from 'commander';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { CliFailureError } from './cli.errors.js';
import type { CliContext, CliIo } from './cli-io.js';
import { addEnvFileOption } from './env-file.js';
import { addEventsCommand } from './events.command.js';
import { addInboxCommand } from './inbox.command.js';
import { addSecretCommand } from './secret.command.js';
import { addTriggerCommand } from './trigger.command.js';
import { addVerifyCommand } from './verify.command.js';

/** A test compares this with the version in package.json. */
const VERSION = '0.1.0';

const FAILURE = 1;
const USAGE_ERROR = 2;

/**
 * Runs the CLI.
 *
 * @param argv the arguments after the command's name
 * @returns the exit code: 0 for success, 1 for failure, 2 for wrong usage
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const { stdout, stderr } = io;
  const env = { ...io.env };
  const context: CliContext = { io: { stdout, stderr, env, cwd: () => io.cwd() }, exitCode: 0 };
  try {
    const program = createProgram(context);
    addEnvFileOption(program, env, () => io.cwd());
    await program.parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    // Commander has already printed its own errors. It also throws for --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
    if (!(error instanceof ScalekitWebhooksError)) throw error;
    io.stderr.write(`error: ${error.message}\n`);
    return error instanceof CliFailureError ? FAILURE : USAGE_ERROR;
  }
}

function createProgram(context: CliContext): Command {
  const { stdout, stderr } = context.io;
  const program = new Command('scalekit-webhooks')
    .description('Test and debug Scalekit webhooks.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'Show help for a command.')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .showHelpAfterError('Run the command with --help for usage.')
    .addHelpText(
      'after',
      `
Examples:
  $ scalekit-webhooks secret --env >> .env
  $ scalekit-webhooks trigger user.created
  $ scalekit-webhooks verify --headers headers.txt --body body.json
  $ scalekit-webhooks inbox list --store sqlite:inbox.db --state dead`,
    );
  addTriggerCommand(program, context);
  addVerifyCommand(program, context);
  addEventsCommand(program, context);
  addSecretCommand(program, context);
  addInboxCommand(program, context);
  return program;
}
