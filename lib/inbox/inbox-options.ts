import {
  checkOptions,
  describeValue,
  integerUpTo,
  type OptionChecks,
  oneOf,
  optional,
  refuseSetting,
  requireFunction,
  requireRetentionMs,
} from '../errors/settings.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';

/** Options of {@link MemoryInboxStore}. */
export interface MemoryInboxOptions {
  /**
   * How many events to remember, at most 10,000,000. When there are more, the store forgets the oldest.
   * @default 100000
   */
  maxEvents?: number;
  /**
   * How long to remember an event, in milliseconds. Remember events for longer than Scalekit retries them: 28 hours.
   * @default 172800000 (48 hours)
   */
  retentionMs?: number;
  /**
   * How `delivery.transaction` opens a transaction on your own database, for handlers that use one in development and in
   * tests. The run is recorded after the transaction, not in it.
   *
   * @example (work) => dataSource.transaction(work)
   * @default none: a handler that uses the transaction fails
   */
  transaction?: TransactionOpener;
}

/** How long durable inboxes keep an event by default: 30 days, longer than every retry schedule of Scalekit. */
export const DEFAULT_RETENTION_MS = 30 * 24 * 60 * 60 * 1000;

const MOST_EVENTS = 10_000_000; // A Map does not hold many more.

const CHECKS: OptionChecks<MemoryInboxOptions> = {
  maxEvents: optional(integerUpTo(MOST_EVENTS)),
  retentionMs: optional(requireRetentionMs),
  transaction: optional(requireFunction),
};

/** Checks the options, and fills in the defaults. */
export function resolveOptions(options: MemoryInboxOptions): Required<MemoryInboxOptions> {
  const {
    maxEvents = 100_000,
    retentionMs = 48 * 60 * 60 * 1000,
    transaction = withoutDatabase,
  } = checkOptions(options, CHECKS);
  return { maxEvents, retentionMs, transaction };
}

/** Opens a transaction in the application's own database, and passes it to `work`. */
type TransactionOpener = <Result>(work: (tx: unknown) => Promise<Result>) => Promise<Result>;

/** Runs the work without a transaction. What it gets instead throws an error that says so when it is used. */
const withoutDatabase: TransactionOpener = (work) =>
  work(new Proxy({}, { get: () => refuseSetting('transaction', NO_DATABASE) }));

export function notATransaction(found: unknown): string {
  return `transaction must be the client or connection that holds your transaction; found ${describeValue(found)}.`;
}

const NO_DATABASE =
  'A handler used the transaction that delivery.transaction() gave it, but MemoryInboxStore has no database. Let it open one on your own database: new MemoryInboxStore({ transaction: (work) => dataSource.transaction(work) }).';

/** A key that encrypts payloads. */
export interface InboxEncryptionKey {
  /**
   * Names the key: 1 to 64 letters, digits, ".", "_" and "-", such as `2026-01`. It is stored with each payload, so do not use
   * it for another secret later.
   */
  readonly id: string;
  /** 32 bytes as base64. Generate them with `openssl rand -base64 32` or `scalekit-webhooks secret --encryption`. */
  readonly secret: string;
}

/** How an inbox encrypts payloads: with AES-256-GCM. */
export interface InboxEncryption {
  /** The first key encrypts new payloads. All keys decrypt. Ids must differ. */
  readonly keys: readonly InboxEncryptionKey[];
}

/** What `redact` returns: the event with less data. */
export interface RedactedEvent {
  readonly id: string;
  readonly type: string;
  readonly occurred_at: string;
  readonly data: object;
}

/** The options about payloads that all durable stores have. */
export interface PayloadOptions {
  /**
   * How the store keeps payloads, and how their events arrived:
   *
   * - `keep`: as long as the event, as plain text. Payloads that were encrypted before can be read as long as `encryption` has
   *   their keys.
   * - `encrypt`: as long as the event, encrypted with the first key of `encryption`, which is then required. Payloads that were
   *   stored as plain text before can still be read.
   * - `drop-when-done`: until all runs of the event are done, and encrypted until then if `encryption` is set. Without its
   *   payload, an event cannot be replayed. In Postgres, dropping takes a statement for each settlement.
   * @default 'keep', or 'encrypt' with the option `encryption`
   */
  readonly payloads?: 'keep' | 'encrypt' | 'drop-when-done';
  /** The keys for payloads. Event ids, types, times, organizations, entities and error texts are never encrypted. */
  readonly encryption?: InboxEncryption;
  /**
   * Removes data from an event before it is stored. It gets the parsed event, which it may change, and returns what to store.
   * Handlers in the request still get the whole event; replays and workers get what was stored.
   *
   * The type, the time and all ids must stay as they are. If it throws, or returns a promise or another event, the delivery
   * gets a 503 and nothing is stored. Write it so that it also accepts an event that it has redacted before.
   */
  readonly redact?: (event: ScalekitEvent<'*'>) => RedactedEvent;
}

/** The checks of {@link PayloadOptions}. */
export const PAYLOAD_CHECKS: OptionChecks<PayloadOptions> = {
  payloads: optional(oneOf(['keep', 'encrypt', 'drop-when-done'])),
  encryption: optional(requireEncryption),
  redact: optional(requireFunction),
};

/** The id of a key. It is one line of ASCII, so that it can be stored and printed. */
export const KEY_ID = /^[\w.-]{1,64}$/;
const KEY_BYTES = 32;

const ENCRYPTION_CHECKS: OptionChecks<InboxEncryption> = { keys: requireKeys };
const KEY_CHECKS: OptionChecks<InboxEncryptionKey> = { id: requireKeyId, secret: requireKeySecret };

// These checks never print what they found: it may be a secret in the wrong place.

function requireEncryption(setting: string, value: unknown): void {
  if (typeof value !== 'object') refuseSetting(setting, PAYLOAD_MESSAGES.notEncryption(setting, value));
  checkOptions(value, ENCRYPTION_CHECKS, setting);
}

function requireKeys(setting: string, value: unknown): void {
  if (!Array.isArray(value) || value.length === 0) {
    refuseSetting(setting, PAYLOAD_MESSAGES.noKeys(setting, value));
  }
  const ids = new Set<string>();
  for (const [index, key] of value.entries()) {
    const of = `${setting}[${index}]`;
    if (typeof key !== 'object') refuseSetting(of, PAYLOAD_MESSAGES.notAKey(of, key));
    const { id } = checkOptions<InboxEncryptionKey>(key, KEY_CHECKS, of);
    if (ids.has(id)) refuseSetting(`${of}.id`, PAYLOAD_MESSAGES.sameId(`${of}.id`, id));
    ids.add(id);
  }
}

function requireKeyId(setting: string, value: unknown): void {
  if (typeof value === 'string' && KEY_ID.test(value)) return;
  refuseSetting(setting, PAYLOAD_MESSAGES.notAKeyId(setting, value));
}

function requireKeySecret(setting: string, value: unknown): void {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64');
    // Buffer.from ignores characters that are not base64.
    if (bytes.length === KEY_BYTES && bytes.toString('base64') === value) return;
  }
  refuseSetting(setting, PAYLOAD_MESSAGES.notAKeySecret(setting, value));
}

/** Describes a value that may be secret. */
function kindOf(value: unknown): string {
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  return typeof value;
}

const PAYLOAD_MESSAGES = {
  notEncryption: (setting: string, found: unknown) =>
    `${setting} must be an object such as { keys: [{ id, secret }] }, found ${kindOf(found)}.`,
  noKeys: (setting: string, found: unknown) =>
    `${setting} must be an array with at least one key, { id, secret }; found ${kindOf(found)}.`,
  notAKey: (setting: string, found: unknown) =>
    `${setting} must be an object { id, secret }, found ${kindOf(found)}.`,
  sameId: (setting: string, id: string) =>
    `${setting} is "${id}", which is also the id of another key. Give each key its own id: it says which key encrypted a payload.`,
  notAKeyId: (setting: string, found: unknown) =>
    `${setting} must be 1 to 64 letters, digits, ".", "_" or "-", found ${kindOf(found)}. Name the key, for example by the month: 2026-01.`,
  notAKeySecret: (setting: string, found: unknown) =>
    `${setting} must be 32 bytes as base64, which is 44 characters and ends with "=", found ${kindOf(found)}. Generate it with: openssl rand -base64 32`,
} as const;
