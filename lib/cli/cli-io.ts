import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ScalekitWebhooksError } from '../errors/errors.js';
import { sanitizeLine } from '../errors/safe-text.js';
import {
  type InboxEntry,
  type InboxFilter,
  type InboxPage,
  RUN_STATES,
  type RunState,
} from '../inbox/inbox-queries.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import {
  parseSigningSecret,
  SECRET_VARIABLE,
  type SigningSecret,
  splitSecrets,
} from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';

/** The streams and environment that the CLI uses, so that tests can run it in their own process. */
export interface CliIo {
  readonly stdout: CliStream;
  readonly stderr: CliStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  cwd(): string;
}

/** Only a terminal gets a progress bar. */
type CliStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** What every command gets. It sets the exit code: 0 for success, 1 for failure. Wrong usage, 2, is an error. */
export interface CliContext {
  readonly io: CliIo;
  exitCode: number;
}

/** The command was valid but could not do its work. Exits with 1. */
export class CliFailureError extends ScalekitWebhooksError {
  override readonly code = 'cli_failed';
}

/** The command was called with missing or invalid arguments. Exits with 2. */
export class CliUsageError extends ScalekitWebhooksError {
  override readonly code = 'cli_usage';
}

/** The reason for a failure, on one line. If several connection attempts failed, the error has a code but no message. */
export function reasonOf(error: unknown): string {
  return sanitizeLine(errorField(error, 'message') || errorField(error, 'code') || 'unknown reason');
}

/** A text field of a thrown value, which can be anything. Errors from Node have a `code`. */
export function errorField(error: unknown, name: 'code' | 'message' | 'name'): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' ? value : undefined;
}

/** Ends the process quietly when the reader of its output has closed the pipe, as `head` does. */
export function exitOnClosedPipe(stream: NodeJS.WritableStream, exit: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    exit();
  });
}

/** A file that a command needs cannot be read. */
class UnreadableFileError extends CliUsageError {
  constructor(
    path: string,
    readonly reason: string,
  ) {
    super(CLI_MESSAGES.fileUnreadable(path, reason));
  }
}

/** @throws CliUsageError when the file cannot be read */
export async function readInputFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UnreadableFileError(path, errorField(error, 'code') ?? 'unknown reason');
  }
}

/** Whether a file could not be read because it does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof UnreadableFileError && error.reason === 'ENOENT';
}

/**
 * Reads a text file in UTF-8, or in UTF-16 with a byte order mark, which Windows PowerShell writes.
 * @throws CliUsageError when the file cannot be read
 */
export async function readTextFile(path: string): Promise<string> {
  const bytes = await readInputFile(path);
  return fromUtf16(bytes) ?? bytes.toString().replace(/^\ufeff/, '');
}

/** The text of bytes in UTF-16, which begin with a byte order mark. Undefined for other bytes. */
export function fromUtf16(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return undefined;
}

/** The URL of an endpoint with the default path, on the default port of a Nest application. */
export const DEFAULT_URL = 'http://localhost:3000/webhooks/scalekit';

export function parsePositiveInteger(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError(CLI_MESSAGES.notAPositiveInteger);
  return Number(text);
}

/** Collects the values of an option that can be repeated. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

export function parseSeconds(text: string): number {
  if (!/^[0-9]{1,12}$/.test(text)) throw new InvalidArgumentError(CLI_MESSAGES.notANumberOfSeconds);
  return Number(text);
}

export function parseHttpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new InvalidArgumentError(CLI_MESSAGES.notAnHttpUrl);
}

/** The secret to sign with: the first one of `--secret`, or the first one in the environment. */
export function findSigningSecret(given: string | undefined, io: CliIo): SigningSecret {
  return parseSigningSecret(findSecrets(given, io)[0]);
}

/** The secrets of `--secret`, or those in the environment. */
export function findSecrets(given: string | undefined, io: CliIo): readonly [string, ...string[]] {
  const [first, ...others] = splitSecrets(given ?? io.env[SECRET_VARIABLE]);
  if (first === undefined) throw new CliUsageError(CLI_MESSAGES.secretMissing(SECRET_VARIABLE));
  return [first, ...others];
}

const HOUR_MS = 60 * 60 * 1000;

/** A time in the past: an ISO 8601 date, or an age such as `30d` or `12h`. */
export function parsePastTime(text: string): Date {
  const [, amount, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  const isDate = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  if (!amount && !isDate) throw new InvalidArgumentError(CLI_MESSAGES.notATime);
  const time = amount ? Date.now() - Number(amount) * HOUR_MS * (unit === 'd' ? 24 : 1) : Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError(CLI_MESSAGES.notATime);
  if (time > Date.now()) throw new InvalidArgumentError(CLI_MESSAGES.timeInTheFuture);
  return new Date(time);
}

/** The environment variable with the URL of the inbox. */
export const INBOX_URL_VARIABLE = 'SCALEKIT_INBOX_URL';

/** The name of an endpoint whose options set none. */
export const DEFAULT_ENDPOINT = 'default';

/** Which inbox to use. */
export interface InboxStoreOptions {
  readonly store?: string;
  readonly application?: string;
  readonly schema?: string;
  readonly prefix?: string;
}

/** Which of its entries to use. */
export interface InboxFilterOptions {
  readonly endpoint?: string;
  readonly type?: string;
  readonly state?: RunState;
  readonly runOf?: string;
  readonly organization?: string;
  readonly entity?: string;
  readonly receivedAfter?: Date;
  readonly receivedBefore?: Date;
  readonly error?: string;
  readonly limit: number;
}

const PAGE_SIZE = 200;

export function addStoreOptions(command: Command): Command {
  return command
    .option(
      '--store <url>',
      `inbox: postgres://..., redis://... or sqlite:<file> (default: ${INBOX_URL_VARIABLE})`,
    )
    .option(
      '--application <name>',
      'Postgres, Redis: application option of your store; required for these inboxes',
    )
    .option('--schema <name>', 'Postgres: schema of the tables, if your application sets it')
    .option('--prefix <text>', 'Redis, SQLite: prefix of the keys or tables, if your application sets it');
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--type <type>', 'only events of this type')
    .addOption(new Option('--state <state>', 'only events with a run in this state').choices([...RUN_STATES]))
    .option(
      '--run-of <handler>',
      'only events with a run of this handler; --state and --error are about it',
      parseText,
    )
    .option('--error <text>', 'only events with a run whose error contains this text', parseText)
    .option('--organization <id>', 'only events of this organization', parseText)
    .option('--entity <entity>', 'only events about this entity, for example user:usr_1', parseEntity)
    .option(
      '--received-after <time>',
      'only events since this ISO 8601 date or age, such as 2h',
      parsePastTime,
    )
    .option('--received-before <time>', 'only events before this ISO 8601 date or age', parsePastTime);
}

export function parseText(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError(CLI_MESSAGES.emptyText);
}

export function parseEntity(text: string): string {
  if (/^[a-z-]+:./.test(text)) return text;
  throw new InvalidArgumentError(CLI_MESSAGES.notAnEntity);
}

/** How many events per second. */
export function parseRate(text: string): number {
  const rate = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (rate >= 0.001 && rate <= 1000) return rate;
  throw new InvalidArgumentError(CLI_MESSAGES.notARate);
}

/** @throws CliUsageError unless a command has either an event, or conditions that events can match */
export function requireEvents(options: InboxFilterOptions, eventId: string | undefined): void {
  const { endpoint: _, ...conditions } = toFilter(options);
  const hasConditions = Object.values(conditions).some((value) => value !== undefined);
  if ((eventId !== undefined) === hasConditions) throw new CliUsageError(CLI_MESSAGES.eventsMissing);
}

/** @throws CliUsageError if no event can match */
export function toFilter(options: Omit<InboxFilterOptions, 'limit'>): InboxFilter {
  const { endpoint, type, state, runOf, organization, entity, receivedAfter, receivedBefore, error } =
    options;
  if (receivedAfter && receivedBefore && receivedAfter >= receivedBefore) {
    throw new CliUsageError(CLI_MESSAGES.receivedNever);
  }
  return {
    endpoint,
    type,
    state,
    handler: runOf,
    organizationId: organization,
    entity,
    receivedAfter,
    receivedBefore,
    error,
  };
}

/** Reads the entries that the options select, oldest first, page by page. */
export async function readEntries(
  store: InboxStore,
  options: InboxFilterOptions,
  cursor?: string,
): Promise<InboxPage> {
  const { limit } = options;
  const filter = toFilter(options);
  const entries: InboxEntry[] = [];
  let nextCursor = cursor;
  do {
    const pageLimit = Math.min(limit - entries.length, PAGE_SIZE);
    const page = await store.list(filter, { limit: pageLimit, cursor: nextCursor });
    entries.push(...page.entries);
    nextCursor = page.nextCursor;
  } while (nextCursor !== undefined && entries.length < limit);
  return { entries, nextCursor };
}
