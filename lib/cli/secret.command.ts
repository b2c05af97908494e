import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import type { CliContext } from './cli-io.js';

// Standard Webhooks recommends 24 to 64.
const KEY_BYTES = 32;

/** `secret`: makes a signing secret for development and tests. */
export function addSecretCommand(program: Command, { io }: CliContext): void {
  program
    .command('secret')
    .summary('Make a signing secret for development and tests.')
    .description(
      'Make a signing secret for development and tests: your application and `trigger` use the same one.\n\n' +
        'Scalekit does not know it. In production, use the secret from the Scalekit dashboard.',
    )
    .option('--env', `print it as a line for a .env file: ${SECRET_VARIABLE}=whsec_...`)
    .addHelpText(
      'after',
      `
Examples:
  $ export ${SECRET_VARIABLE}=$(scalekit-webhooks secret)
  $ scalekit-webhooks secret --env >> .env`,
    )
    .action(({ env }: { env?: boolean }) => {
      const secret = `whsec_${randomBytes(KEY_BYTES).toString('base64')}`;
      io.stdout.write(env ? `${SECRET_VARIABLE}=${secret}\n` : `${secret}\n`);
      io.stderr.write(`${CLI_MESSAGES.secretIsLocal}\n`);
    });
}
