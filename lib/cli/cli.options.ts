import { type Command, InvalidArgumentError, Option } from 'commander';
import { type InboxEntry, type InboxPage, RUN_STATES, type RunState } from '../inbox/inbox-queries.js';
import type { InboxStore } from '../inbox/inbox-store.js';
import {
  parseSigningSecret,
  SECRET_VARIABLE,
  type SigningSecret,
  splitSecrets,
} from '../verify/signing-secret.js';
import { CLI_MESSAGES } from './cli.messages.js';
import { type CliIo, CliUsageError } from './cli-io.js';

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
    .addOption(
      new Option('--state <state>', 'only events with a run in this state').choices([...RUN_STATES]),
    );
}

/** Reads the entries that the options select, oldest first, page by page. */
export async function readEntries(
  store: InboxStore,
  { endpoint, type, state, limit }: InboxFilterOptions,
  cursor?: string,
): Promise<InboxPage> {
  const entries: InboxEntry[] = [];
  let nextCursor = cursor;
  do {
    const pageLimit = Math.min(limit - entries.length, PAGE_SIZE);
    const page = await store.list({ endpoint, type, state }, { limit: pageLimit, cursor: nextCursor });
    entries.push(...page.entries);
    nextCursor = page.nextCursor;
  } while (nextCursor !== undefined && entries.length < limit);
  return { entries, nextCursor };
}
