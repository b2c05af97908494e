import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { Command, CommanderError } from 'commander';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { type CliContext, CliFailureError, type CliIo, isMissing, readTextFile } from './cli-io.js';
import { addInboxCommand } from './inbox.command.js';
import { INBOX_KEYS_VARIABLE } from './open-inbox.js';
import { addRecoverCommand } from './recover.command.js';
import { addTriggerCommand } from './trigger.command.js';
import { addVerifyCommand } from './verify.command.js';

/** A test compares this with the version in package.json. */
const VERSION = '0.1.0';

const FAILURE = 1;
const USAGE_ERROR = 2;

const DEFAULT_ENV_FILE = '.env';

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
  addRecoverCommand(program, context);
  return program;
}

/** `events`: lists the event types that this version knows. */
function addEventsCommand(program: Command, { io }: CliContext): void {
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

// Standard Webhooks recommends 24 to 64, and AES-256 needs exactly this many.
const KEY_BYTES = 32;

/** `secret`: makes a signing secret for development and tests, or a key for payloads. */
function addSecretCommand(program: Command, { io }: CliContext): void {
  program
    .command('secret')
    .summary('Generate a signing secret for development and tests, or a key for payloads.')
    .description(
      'Generate a signing secret for development and tests that your application and `trigger` can share.\n\n' +
        'Scalekit does not know it. In production, use the secret from the Scalekit dashboard.\n\n' +
        'With --encryption, generate a key that encrypts the payloads in an inbox.',
    )
    .option('--encryption', 'generate a secret for the encryption option of an inbox: 32 bytes as base64')
    .option(
      '--env',
      `print it as a line for a .env file: ${SECRET_VARIABLE}=whsec_..., or ${INBOX_KEYS_VARIABLE}=<date>:...`,
    )
    .addHelpText(
      'after',
      `
Examples:
  $ export ${SECRET_VARIABLE}=$(scalekit-webhooks secret)
  $ scalekit-webhooks secret --env >> .env
  $ scalekit-webhooks secret --encryption`,
    )
    .action(({ env, encryption }: { env?: boolean; encryption?: boolean }) => {
      if (encryption) {
        const key = randomBytes(KEY_BYTES).toString('base64');
        const today = new Date().toISOString().slice(0, 10);
        io.stdout.write(env ? `${INBOX_KEYS_VARIABLE}=${today}:${key}\n` : `${key}\n`);
        io.stderr.write(`${CLI_MESSAGES.encryptionSecretIsKey}\n`);
        return;
      }
      const secret = `whsec_${randomBytes(KEY_BYTES).toString('base64')}`;
      io.stdout.write(env ? `${SECRET_VARIABLE}=${secret}\n` : `${secret}\n`);
      io.stderr.write(`${CLI_MESSAGES.secretIsLocal}\n`);
    });
}

/** Adds `--env-file` to every command. The variables of the file are added to `env` before a command runs. */
function addEnvFileOption(
  program: Command,
  env: Record<string, string | undefined>,
  cwd: () => string,
): void {
  program
    .option('--env-file <file>', 'file with environment variables (default: .env, if there is one)')
    .hook('preAction', async () => {
      const { envFile }: { envFile?: string } = program.opts();
      for (const [name, value] of Object.entries(await readEnvFile(envFile, cwd()))) {
        // As in ConfigModule, the environment of the process comes first.
        if (!Object.hasOwn(env, name)) env[name] = value;
      }
    });
}

/** Only a file that was asked for has to exist. */
async function readEnvFile(asked: string | undefined, folder: string): Promise<NodeJS.Dict<string>> {
  try {
    return parseEnv(await readTextFile(asked ?? join(folder, DEFAULT_ENV_FILE)));
  } catch (error) {
    if (asked === undefined && isMissing(error)) return {};
    throw error;
  }
}
