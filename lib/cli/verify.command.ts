import type { Command } from 'commander';
import { WebhookVerificationError } from '../errors/errors.js';
import { parseSignature } from '../verify/signature.js';
import {
  collectSignatureHeaders,
  SCALEKIT_HEADER,
  type SignatureScheme,
  STANDARD_HEADERS,
  schemesPresent,
} from '../verify/signature-headers.js';
import { SECRET_VARIABLE } from '../verify/signing-secret.js';
import { DEFAULT_TOLERANCE_SECONDS, verifyWebhookSignature } from '../verify/verify-signature.js';
import { bodyVariants, damageOf } from './body-variants.js';
import { CLI_MESSAGES } from './cli.messages.js';
import {
  type CliContext,
  CliUsageError,
  findSecrets,
  parseSeconds,
  readInputFile,
  readTextFile,
} from './cli-io.js';

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

/** A recorded delivery, and what to verify it with. */
interface RecordedDelivery {
  readonly headers: Record<string, string[]>;
  readonly body: Uint8Array;
  readonly secrets: readonly string[];
  readonly nowSeconds: number;
  readonly toleranceSeconds: number;
}

/** Verifies a delivery, and explains the result line by line. */
export function explainSignature(delivery: RecordedDelivery): { isAuthentic: boolean; lines: string[] } {
  const { headers, body, secrets, nowSeconds, toleranceSeconds } = delivery;
  const isAuthentic = isVerified(() =>
    verifyWebhookSignature({ payload: body, headers, secrets, now: nowSeconds * 1000, toleranceSeconds }),
  );
  const lines = [
    CLI_MESSAGES.bodyRead(body.length),
    ...explainSchemes(delivery),
    isAuthentic ? CLI_MESSAGES.authentic : CLI_MESSAGES.notAuthentic,
  ];
  return { isAuthentic, lines };
}

function explainSchemes(delivery: RecordedDelivery): string[] {
  try {
    const schemes = schemesPresent(collectSignatureHeaders(delivery.headers));
    return schemes.flatMap((scheme) => [
      CLI_MESSAGES.schemeFound(scheme),
      ...explainScheme(scheme, delivery),
    ]);
  } catch (error) {
    return [explainHeaders(error)];
  }
}

const HEADERS_OF = { standard: STANDARD_HEADERS, scalekit: [SCALEKIT_HEADER] } as const;

/** Checks the timestamp and the signature separately, so that an old delivery does not look like a wrong secret. */
function explainScheme(scheme: SignatureScheme, delivery: RecordedDelivery): string[] {
  const { nowSeconds, toleranceSeconds, secrets, body } = delivery;
  const values = collectSignatureHeaders(delivery.headers);
  try {
    const { timestamp } = parseSignature(scheme, values);
    const age = nowSeconds - timestamp;
    const signedAt = CLI_MESSAGES.signedAt(new Date(timestamp * 1000).toISOString(), age, toleranceSeconds);
    const clockHint = age > toleranceSeconds ? [CLI_MESSAGES.clockHint] : [];
    const headers = Object.fromEntries(HEADERS_OF[scheme].map((name) => [name, values[name]]));
    const matches = (payload: string | Uint8Array) =>
      isVerified(() => verifyWebhookSignature({ payload, headers, secrets, now: timestamp * 1000 }));
    if (matches(body)) return [signedAt, ...clockHint, CLI_MESSAGES.matches];
    return [signedAt, ...clockHint, CLI_MESSAGES.mismatches(secrets.length), explainMismatch(body, matches)];
  } catch (error) {
    return [explainHeaders(error)];
  }
}

function isVerified(verify: () => unknown): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function explainHeaders(error: unknown): string {
  if (!(error instanceof WebhookVerificationError)) throw error;
  return CLI_MESSAGES.headersUnusable(error.message);
}

/** Reports a wrong secret only if nothing shows that the body was changed. */
function explainMismatch(body: Uint8Array, matches: (body: string) => boolean): string {
  for (const variant of bodyVariants(body)) {
    if (matches(variant.body)) return CLI_MESSAGES.variantMatches(variant.name);
  }
  const damage = damageOf(body);
  return damage ? CLI_MESSAGES.bodyDamaged[damage] : CLI_MESSAGES.noVariantMatches;
}
