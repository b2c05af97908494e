import type { Command } from 'commander';

import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { DEFAULT_TOLERANCE_SECONDS } from '../verify/verify-signature.js';
import { CliUsageError } from './cli.errors.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { findSecrets, parseSeconds, readInputFile } from './cli.options.js';
import type { CliContext } from './cli-io.js';
import { explainSignature } from './explain-signature.js';

/**
 * Reads headers from a file: one `Name: value` a line (a request line, or what is no header, is passed over), or a
 * JSON object whose values are texts or lists of texts.
 */
async function readHeadersFile(path: string): Promise<Record<string, string[]>> {
  const text = (await readInputFile(path)).toString().trim();
  const entries = text.startsWith('{') ? jsonEntries(text) : lineEntries(text);
  if (entries.length === 0) throw new CliUsageError(CLI_MESSAGES.headersUnreadable(path));
  const headers = new Map<string, string[]>();
  for (const [name, value] of entries) headers.set(name, [...(headers.get(name) ?? []), value]);
  return Object.fromEntries(headers);
}

function lineEntries(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    // `< ` stands before each header in what `curl -v` shows.
    const [, name, value] = /^(?:[<>] )?([\w-]+)\s*:(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value.trim()]];
  });
}

function jsonEntries(text: string): [string, string][] {
  return Object.entries(parseObject(text)).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

interface VerifyOptions {
  readonly headers: string;
  readonly body: string;
  readonly secret?: string;
  readonly tolerance: number;
  readonly now?: number;
}

/** `verify`: explains why the signature of a recorded delivery holds, or does not. */
export function addVerifyCommand(program: Command, context: CliContext): void {
  program
    .command('verify')
    .description(
      'Explain why the signature of a recorded delivery holds, or not. The exit code is 0 if it does, else 1.',
    )
    .requiredOption('--headers <file>', 'the headers: lines of "Name: value", or a JSON object')
    .requiredOption('--body <file>', 'the body, byte for byte')
    .option('--secret <secret>', `signing secret, or several with commas (default: ${SECRET_VARIABLE})`)
    .option(
      '--tolerance <seconds>',
      'how far the timestamp may be off',
      parseSeconds,
      DEFAULT_TOLERANCE_SECONDS,
    )
    .option('--now <unix seconds>', 'the time to compare it with (default: the present)', parseSeconds)
    .addHelpText(
      'after',
      `
Examples:
  $ export ${SECRET_VARIABLE}=whsec_...
  $ scalekit-webhooks verify --headers headers.txt --body body.json
  $ scalekit-webhooks verify --headers headers.json --body body.json --now 1764000000`,
    )
    .action(async (options: VerifyOptions) => {
      const { isAuthentic, lines } = explainSignature({
        headers: await readHeadersFile(options.headers),
        body: await readInputFile(options.body),
        secrets: findSecrets(options.secret, context.io),
        nowSeconds: options.now ?? Math.floor(Date.now() / 1000),
        toleranceSeconds: options.tolerance,
      });
      context.io.stdout.write(`${lines.join('\n')}\n`);
      context.exitCode = isAuthentic ? 0 : 1;
    });
}
