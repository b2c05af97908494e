import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { isPromise } from 'node:util/types';
import { PayloadUnreadableError, RedactionFailedError } from '../errors/errors.js';
import { describeThrown } from '../errors/safe-text.js';
import { refuseSetting } from '../errors/settings.js';
import { organizationIdOf, scalekitEventEntity } from '../events/event-entity.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { KEY_ID, type PayloadOptions } from './inbox-options.js';
import type { InboxKey, InboxPageRequest } from './inbox-queries.js';
import type { InboxDelivery, InboxEvent, InboxStore } from './inbox-store.js';
import type { DueRun, DueRuns, ReencryptedPage } from './inbox-work.js';

/** What a store has of an event: its delivery may be sealed. */
export type StoredEvent = Omit<InboxEvent, 'delivery'> & { readonly delivery?: StoredDelivery };
export type StoredDelivery = InboxDelivery | { readonly sealed: string };
export type StoredRun = Omit<DueRun, 'delivery'> & { readonly delivery?: StoredDelivery };
export type StoredDueRuns = Omit<DueRuns, 'runs'> & { readonly runs: readonly StoredRun[] };

/** The texts of an event that a store can replace. */
export interface StoredTexts {
  readonly payload: Uint8Array;
  readonly delivery?: StoredDelivery;
}

/** How a store reads and replaces texts, for {@link PayloadProtection.reencrypt}. */
interface StoredTextAccess {
  read(key: InboxKey): Promise<StoredTexts | undefined>;
  /** Only if the payload is still `old`. Resolves to whether it was. */
  replace(key: InboxKey, old: Uint8Array, texts: StoredTexts): Promise<boolean>;
}

// A sealed text begins with this byte, which no JSON begins with. Then follow the length of the key id, the key id, the IV, the
// tag, and the encrypted text.
const SEALED = 0x01;
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const TXT_SECRET = 'txt_record_secret';
const DEFAULT_PAGE = 100;

/** Redacts, encrypts and decrypts what a store keeps of events. Its keys are not visible from outside. */
export class PayloadProtection {
  /** Whether the store drops a payload once all runs of its event are done. */
  readonly dropsPayloads: boolean;
  readonly #keys: ReadonlyMap<string, KeyObject>;
  /** The id of the key that encrypts, unless payloads are plain. */
  readonly #writer: string | undefined;
  readonly #redact: PayloadOptions['redact'];
  readonly #application: string;

  /** @throws ScalekitWebhooksConfigurationError when the options do not fit together */
  constructor({ payloads, encryption, redact }: PayloadOptions, application = '') {
    const keys = encryption?.keys ?? [];
    if (payloads === 'encrypt' && keys.length === 0) refuseSetting('payloads', MESSAGES.keysMissing);
    this.#keys = new Map(keys.map(({ id, secret }) => [id, createSecretKey(Buffer.from(secret, 'base64'))]));
    this.#writer = payloads === 'keep' ? undefined : keys[0]?.id;
    this.dropsPayloads = payloads === 'drop-when-done';
    this.#redact = redact;
    this.#application = application;
  }

  /**
   * An event as the store keeps it: redacted, and encrypted or without the secrets of TXT records.
   *
   * @throws RedactionFailedError when `redact` fails
   */
  toStored(event: InboxEvent): StoredEvent {
    return { ...event, ...this.#sealed(event, { ...event, payload: this.#redacted(event) }) };
  }

  /**
   * A payload as it was before it was encrypted.
   *
   * @throws PayloadUnreadableError when its key is missing, or it was changed
   */
  open<Payload extends Uint8Array | undefined>(key: InboxKey, payload: Payload): Payload | Uint8Array {
    return payload?.[0] === SEALED ? this.#unsealed('payload', key, payload) : payload;
  }

  /** The runs that a worker took, with their texts. One that cannot be read does not affect the others. */
  openDue({ runs, isPaused }: StoredDueRuns): DueRuns {
    return { runs: runs.map((run) => this.#openRun(run)), isPaused };
  }

  /**
   * Encrypts the texts of a page of entries with the first key, if they are plain or have another key.
   *
   * @throws ScalekitWebhooksConfigurationError when the store does not encrypt
   */
  async reencrypt(
    store: Pick<InboxStore, 'list'>,
    texts: StoredTextAccess,
    { limit = DEFAULT_PAGE, cursor }: InboxPageRequest,
  ): Promise<ReencryptedPage> {
    if (this.#writer === undefined) refuseSetting('encryption', MESSAGES.encryptsNothing);
    const { entries, nextCursor } = await store.list({}, { limit, ...(cursor !== undefined && { cursor }) });
    const ends = await Promise.all(entries.map((key) => this.#reencryptOne(texts, key)));
    return {
      rewritten: ends.filter((end) => end === 'rewritten').length,
      unchanged: ends.filter((end) => end === 'unchanged').length,
      unreadable: entries
        .filter((_, index) => ends[index] === 'unreadable')
        .map(({ endpoint, eventId }) => ({ endpoint, eventId })),
      ...(nextCursor !== undefined && { nextCursor }),
    };
  }

  async #reencryptOne(
    texts: StoredTextAccess,
    key: InboxKey,
  ): Promise<'rewritten' | 'unchanged' | 'unreadable'> {
    const found = await texts.read(key);
    if (!found) return 'unchanged';
    const bytes = [found.payload, ...(found.delivery ? [sealedBytes(found.delivery)] : [])];
    if (bytes.every((text) => text[0] === SEALED && keyIdOf(text) === this.#writer)) return 'unchanged';
    try {
      const payload = this.open(key, found.payload);
      const delivery = this.openDelivery(key, found.delivery);
      const sealed = this.#sealed(key, { payload, ...(delivery && { delivery }) });
      return (await texts.replace(key, found.payload, sealed)) ? 'rewritten' : 'unchanged';
    } catch (error) {
      if (error instanceof PayloadUnreadableError) return 'unreadable';
      throw error;
    }
  }

  #openRun(run: StoredRun): DueRun {
    const { delivery, payload, ...others } = run;
    try {
      const opened = this.openDelivery(run, delivery);
      return { ...others, payload: this.open(run, payload), ...(opened && { delivery: opened }) };
    } catch (error) {
      if (!(error instanceof PayloadUnreadableError)) throw error;
      return { ...others, unreadable: error };
    }
  }

  /** How an event arrived, as it was before it was encrypted. @throws PayloadUnreadableError as `open` does */
  openDelivery(key: InboxKey, delivery: StoredDelivery | undefined): InboxDelivery | undefined {
    if (!delivery || !('sealed' in delivery)) return delivery;
    return JSON.parse(asBuffer(this.#unsealed('delivery', key, sealedBytes(delivery))).toString());
  }

  #sealed(
    key: InboxKey,
    { payload, delivery }: { payload: Uint8Array; delivery?: InboxDelivery },
  ): StoredTexts {
    const id = this.#writer;
    const secret = id === undefined ? undefined : this.#keys.get(id);
    if (id === undefined || !secret) {
      return { payload: withoutTxtSecrets(payload), ...(delivery && { delivery }) };
    }
    const seal = (kind: TextKind, text: Uint8Array) => sealText(id, secret, this.#context(kind, key), text);
    return {
      payload: seal('payload', payload),
      ...(delivery && {
        delivery: { sealed: seal('delivery', Buffer.from(JSON.stringify(delivery))).toString('base64') },
      }),
    };
  }

  #unsealed(kind: TextKind, key: InboxKey, sealed: Uint8Array): Buffer {
    const id = keyIdOf(sealed);
    const secret = id === undefined ? undefined : this.#keys.get(id);
    if (id !== undefined && !secret) throw new PayloadUnreadableError('key_missing', key.eventId, id);
    const text = id && secret && openText(id, secret, this.#context(kind, key), asBuffer(sealed));
    if (!text) throw new PayloadUnreadableError('changed', key.eventId, id);
    return text;
  }

  /** What a sealed text belongs to: it cannot be opened anywhere else. */
  #context(kind: TextKind, { endpoint, eventId }: InboxKey): Buffer {
    return Buffer.from(JSON.stringify([kind, this.#application, endpoint, eventId]));
  }

  /** The payload after `redact`, unless it comes from the inbox, where it was redacted before. */
  #redacted({ payload, eventId, isStored }: InboxEvent): Uint8Array {
    if (!this.#redact || isStored) return payload;
    const event = jsonIn(asBuffer(payload));
    const identity = identityOf(event);
    if (!isEvent(event)) throw new RedactionFailedError(eventId, 'the payload is not an event');
    const redacted = redactedBy(this.#redact, event, eventId);
    if (identityOf(jsonIn(redacted)) === identity) return redacted;
    throw new RedactionFailedError(eventId, 'it changed the type, the time or an id, or returned no event');
  }
}

type TextKind = 'payload' | 'delivery';

function sealText(id: string, secret: KeyObject, context: Buffer, text: Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, secret, iv);
  cipher.setAAD(context);
  const encrypted = [cipher.update(text), cipher.final()];
  const head = [Buffer.of(SEALED, id.length), Buffer.from(id), iv, cipher.getAuthTag()];
  return Buffer.concat([...head, ...encrypted]);
}

/** Returns undefined for a text that was changed, or that belongs to something else. */
function openText(id: string, secret: KeyObject, context: Buffer, sealed: Buffer): Buffer | undefined {
  const ivAt = 2 + id.length;
  const tagAt = ivAt + IV_BYTES;
  const textAt = tagAt + TAG_BYTES;
  if (sealed.length < textAt) return undefined;
  const iv = sealed.subarray(ivAt, tagAt);
  const decipher = createDecipheriv(CIPHER, secret, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.subarray(tagAt, textAt));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(textAt)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** The id of the key of a sealed text, unless it was changed. */
function keyIdOf(sealed: Uint8Array): string | undefined {
  const id = asBuffer(sealed)
    .subarray(2, 2 + (sealed[1] ?? 0))
    .toString('latin1');
  return KEY_ID.test(id) ? id : undefined;
}

function sealedBytes(delivery: StoredDelivery): Uint8Array {
  return 'sealed' in delivery ? Buffer.from(delivery.sealed, 'base64') : new Uint8Array();
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Removes the secrets of TXT records, wherever they are. Any other payload stays exactly as it is. */
function withoutTxtSecrets(payload: Uint8Array): Uint8Array {
  const bytes = asBuffer(payload);
  // JSON may escape any letter.
  if (!bytes.includes(TXT_SECRET) && !bytes.includes('\\u')) return payload;
  const event = jsonIn(bytes);
  const left = [event];
  let isFound = false;
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    isFound ||= Object.hasOwn(value, TXT_SECRET);
    Reflect.deleteProperty(value, TXT_SECRET);
    for (const member of Object.values(value)) left.push(member);
  }
  return isFound ? Buffer.from(JSON.stringify(event)) : payload;
}

/** Undefined if it is not JSON, which no event of Scalekit is. */
function jsonIn(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF_8.decode(bytes));
  } catch {
    return undefined;
  }
}

// It ignores a byte order mark.
const UTF_8 = new TextDecoder();

/** The properties of an event that `redact` may not change: the inbox and `latestOnly` depend on them. */
function identityOf(event: unknown): string | undefined {
  if (!isEvent(event)) return undefined;
  const { id, type, occurred_at } = event;
  return JSON.stringify([id, type, occurred_at, organizationIdOf(event), scalekitEventEntity(event)]);
}

function isEvent(value: unknown): value is ScalekitEvent {
  if (typeof value !== 'object' || value === null || !('data' in value)) return false;
  const texts = ['id', 'type', 'occurred_at'].map((name) => Reflect.get(value, name));
  return (
    texts.every((text) => typeof text === 'string') && typeof value.data === 'object' && value.data !== null
  );
}

function redactedBy(
  redact: NonNullable<PayloadOptions['redact']>,
  event: ScalekitEvent,
  eventId: string,
): Buffer {
  try {
    const redacted: unknown = redact(event);
    if (isPromise(redacted)) {
      redacted.catch(() => {});
      return Buffer.of();
    }
    return Buffer.from(JSON.stringify(redacted) ?? '');
  } catch (error) {
    throw new RedactionFailedError(eventId, describeThrown(error));
  }
}

const MESSAGES = {
  keysMissing:
    "payloads is 'encrypt', but there are no keys. Set encryption: { keys: [{ id, secret }] }, or payloads: 'keep'.",
  encryptsNothing:
    "The store does not encrypt payloads, so it cannot reencrypt them. Set encryption, and leave out payloads: 'keep'.",
} as const;
