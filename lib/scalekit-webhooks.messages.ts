import { describeValue } from './errors/settings.js';

/** Error messages: what happened, then what to do. */
export const MESSAGES = {
  noFactory: 'forRootAsync needs useFactory, useClass or useExisting, which provides the options.',
  factoryReturnedNothing: 'The factory returned no options; return {} to use the defaults.',
  optionFromFactory: (setting: string) =>
    `${setting} cannot come from a factory, because Nest needs it before the factory runs. Pass it to forRootAsync, next to useFactory.`,
  notAnArray: (setting: string, found: unknown) =>
    `${setting} must be an array, found ${describeValue(found)}.`,
  statusCodeInvalid: (setting: string, found: unknown) =>
    `${setting} cannot be ${describeValue(found)}. processed, accepted, duplicate, dead and ignored must be a 2xx, all others a 4xx or 5xx.`,
  transportRetries:
    'retryFailed is for handlers that run within the request. Remove it: the transport retries runs itself.',
  memoryForgets:
    'retryFailed needs an inbox that outlives the process. Set the inbox option to a PostgresInboxStore or a SqliteInboxStore.',
  inboxNotShared:
    'The transport runs handlers in other processes, which cannot see a MemoryInboxStore. Set the inbox option to a ' +
    'PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
} as const;
