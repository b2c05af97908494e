import { ByteRecords, NO_SLOT } from './byte-records.js';
import type { RowReferences } from './event-rows.js';
import type { InboxEntry, InboxEvent, InboxFilter, InboxKey } from './inbox-store.js';
import { keyHash } from './key-hash.js';
import { Names } from './names.js';
import { IntField, NumberField } from './record-fields.js';
import { type KeyedSlots, SlotIndex } from './slot-index.js';
import { TextField } from './text-field.js';

// An event id, and a time to the nanosecond, lie in the record as Scalekit writes them.
const EVENT_BYTES = 104;

/** What a {@link MemoryInboxStore} remembers of each event but its rows, found by its key. */
export class EventRecords implements KeyedSlots, RowReferences {
  /** Their links are for the order of receipt. */
  readonly records = new ByteRecords(EVENT_BYTES);
  /** The place in the order of receipt, which stays the same when others are forgotten. */
  readonly number = new NumberField(this.records, 4);
  readonly receivedAt = new NumberField(this.records, 12);
  readonly rowObjects = new IntField(this.records, 20);
  readonly firstRow = new IntField(this.records, 24);
  readonly lastRow = new IntField(this.records, 28);
  readonly #hash = new IntField(this.records, 32);
  readonly #endpoint = new IntField(this.records, 36);
  readonly #type = new IntField(this.records, 40);
  readonly #eventId = new TextField(this.records, 44, 28);
  readonly #occurredAt = new TextField(this.records, 72, 32);
  readonly #endpoints = new Names();
  readonly #types = new Names();
  readonly #index = new SlotIndex(this);
  #recorded = 0;
  #readAhead = 0;

  get size(): number {
    return this.#index.size;
  }

  /** The slot of a known event, or `NO_SLOT`. */
  find(key: InboxKey, hash = keyHash(key)): number {
    return this.#index.find(hash, key);
  }

  /**
   * Reads at once what is to be read of the key that is sought, and of the event that is forgotten after the oldest.
   * Of many events the processor has none at hand; so it waits once for all of them.
   */
  readAhead(hash: number, oldest: number): void {
    const { records } = this;
    const next = records.next(oldest);
    const read =
      this.#index.first(hash) + this.#index.first(this.#hash.get(next)) + records.next(records.next(next));
    // What is read and not used need not be read at all: the compiler would leave it out.
    this.#readAhead = (this.#readAhead + read) | 0;
  }

  hasKey(slot: number, { endpoint, eventId }: InboxKey): boolean {
    return this.#endpoint.get(slot) === this.#endpoints.find(endpoint) && this.#eventId.equals(slot, eventId);
  }

  /** Whether an event is of this endpoint and this type, where they are given. */
  matches(slot: number, { endpoint, type }: InboxFilter): boolean {
    return (
      (endpoint === undefined || this.#endpoint.get(slot) === this.#endpoints.find(endpoint)) &&
      (type === undefined || this.#type.get(slot) === this.#types.find(type))
    );
  }

  read(slot: number): Omit<InboxEntry, 'runs'> {
    return {
      endpoint: this.#endpoints.nameOf(this.#endpoint.get(slot)),
      eventId: this.#eventId.get(slot),
      type: this.#types.nameOf(this.#type.get(slot)),
      occurredAt: this.#occurredAt.get(slot),
      receivedAt: new Date(this.receivedAt.get(slot)),
    };
  }

  add({ endpoint, eventId, type, occurredAt }: InboxEvent, hash: number, now: number): number {
    const slot = this.records.take();
    this.#recorded += 1;
    this.number.set(slot, this.#recorded);
    this.receivedAt.set(slot, now);
    this.rowObjects.set(slot, NO_SLOT);
    this.firstRow.set(slot, NO_SLOT);
    this.#hash.set(slot, hash);
    this.#endpoint.set(slot, this.#endpoints.numberOf(endpoint));
    this.#type.set(slot, this.#types.numberOf(type));
    this.#eventId.set(slot, eventId);
    this.#occurredAt.set(slot, occurredAt);
    this.#index.add(hash, slot);
    return slot;
  }

  remove(slot: number): void {
    this.#index.remove(this.#hash.get(slot), slot);
    this.#eventId.clear(slot);
    this.#occurredAt.clear(slot);
    this.records.release(slot);
  }
}
