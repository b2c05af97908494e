import { type Command, InvalidArgumentError, Option } from 'commander';
import type { InboxFilter, RunState } from '../inbox/inbox-store.js';
import { RUN_STATES } from '../inbox/inbox-store.js';
import { CLI_MESSAGES } from './cli.messages.js';

/** The variable that says where the inbox is. */
export const INBOX_URL_VARIABLE = 'SCALEKIT_INBOX_URL';

/** The name of an endpoint that was given none. */
export const DEFAULT_ENDPOINT = 'default';

/** Which inbox a command is about. */
export interface InboxStoreOptions {
  readonly store?: string;
  readonly schema?: string;
  readonly prefix?: string;
}

/** Which entries of it. */
export interface InboxFilterOptions {
  readonly endpoint?: string;
  readonly type?: string;
  readonly state?: RunState;
}

const MS_OF_UNIT = { d: 24 * 60 * 60 * 1000, h: 60 * 60 * 1000 };

export function addStoreOptions(command: Command): Command {
  return command
    .option(
      '--store <url>',
      `the inbox: postgres://..., redis://... or sqlite:path (default: ${INBOX_URL_VARIABLE})`,
    )
    .option('--schema <name>', 'Postgres: the schema of the tables, if it is not the default')
    .option('--prefix <text>', 'Redis, SQLite: what keys or tables begin with, if it is not the default');
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--type <type>', 'only events of this type')
    .addOption(
      new Option('--state <state>', 'only events with a handler in this state').choices([...RUN_STATES]),
    );
}

export function toFilter({ endpoint, type, state }: InboxFilterOptions): InboxFilter {
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(type !== undefined && { type }),
    ...(state !== undefined && { state }),
  };
}

/** A moment of the past: an ISO 8601 date, or how long ago, such as `30d` or `12h`. */
export function parseBefore(text: string): Date {
  const [, amount, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  const isDate = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const time = amount ? Date.now() - Number(amount) * MS_OF_UNIT[unit === 'd' ? 'd' : 'h'] : Date.parse(text);
  if ((!amount && !isDate) || Number.isNaN(time)) throw new InvalidArgumentError(CLI_MESSAGES.notATime);
  if (time > Date.now()) throw new InvalidArgumentError(CLI_MESSAGES.timeInTheFuture);
  return new Date(time);
}
