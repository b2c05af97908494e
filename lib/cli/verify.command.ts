import type { Command } from 'commander';
import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { DEFAULT_TOLERANCE_SECONDS } from '../verify/verify-signature.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { findSecrets, parseSeconds } from './cli.options.js';
import type { CliContext } from './cli-io.js';
import { CliUsageError } from './cli-io.js';
import { explainSignature } from './explain-signature.js';
import { readInputFile, readTextFile } from './input-files.js';

interface VerifyOptions {
  readonly headers: string;
  readonly body: string;
  readonly secret?: string;
  readonly tolerance: number;
  readonly now?: number;
}

/** `verify`: explains why the signature of a recorded delivery is valid or not. */
export function addVerifyCommand(program: Command, context: CliContext): void {
  program
    .command('verify')
    .summary('Check the signature of a recorded delivery.')
    .description(
      'Check the signature of a recorded delivery, and explain the result.\n\n' +
        'The exit code is 0 if the signature is valid, and 1 otherwise.',
    )
    .requiredOption('--headers <file>', 'file with the headers: "Name: value" lines, or a JSON object')
    .requiredOption('--body <file>', 'file with the body, byte for byte')
    .option(
      '--secret <secret>',
      `signing secret, or several separated by commas (default: ${SECRET_VARIABLE})`,
    )
    .option(
      '--tolerance <seconds>',
      'how many seconds the timestamp may be off',
      parseSeconds,
      DEFAULT_TOLERANCE_SECONDS,
    )
    .option(
      '--now <unix-seconds>',
      'time to compare the timestamp with (default: the current time)',
      parseSeconds,
    )
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

/**
 * Reads headers from a file: one `Name: value` per line, or a JSON object whose values are strings or lists of strings.
 * Lines that are not headers, such as the request line, are skipped.
 */
async function readHeadersFile(path: string): Promise<Record<string, string[]>> {
  const text = (await readTextFile(path)).trim();
  const entries = text.startsWith('{') ? jsonEntries(text) : lineEntries(text);
  if (entries.length === 0) throw new CliUsageError(CLI_MESSAGES.headersUnreadable(path));
  const headers = new Map<string, string[]>();
  for (const [name, value] of entries) headers.set(name, [...(headers.get(name) ?? []), value]);
  return Object.fromEntries(headers);
}

function lineEntries(text: string): [string, string][] {
  return text.split(/\r?\n/).flatMap((line): [string, string][] => {
    // `curl -v` prints `> ` or `< ` before each header.
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
