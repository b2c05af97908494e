import { ByteRecords, NO_SLOT } from './byte-records.js';
import type { RunState } from './inbox-store.js';
import { Names } from './names.js';
import { IntField, NumberField } from './record-fields.js';
import { isRunning, type RunRecord } from './run-states.js';

/** The rows of one event's handlers, by handler id. */
export type LedgerRows = Map<string, RunRecord>;

/** Where the record of an event says which rows it has: `NO_SLOT` for none. */
export interface RowReferences {
  /** The place of rows that are objects. */
  readonly rowObjects: IntField;
  readonly firstRow: IntField;
  readonly lastRow: IntField;
}

const ROW_BYTES = 24;

/**
 * The rows of the handlers of each event. While a run goes on they are objects. Most events come to rest without an
 * error; their rows become records.
 */
export class EventRows {
  readonly #objects: (LedgerRows | undefined)[] = [undefined];
  readonly #unusedPlaces: number[] = [];
  readonly #records = new ByteRecords(ROW_BYTES);
  readonly #handler = new IntField(this.#records, 4);
  readonly #state = new IntField(this.#records, 8);
  readonly #attempts = new IntField(this.#records, 12);
  readonly #updatedAt = new NumberField(this.#records, 16);
  readonly #handlerIds = new Names();
  readonly #states = new Names<RunState>();

  constructor(private readonly events: RowReferences) {}

  /** An event's rows. What is changed in them lasts when they are kept. */
  of(event: number): LedgerRows {
    const objects = this.#objectsOf(event);
    if (objects) return objects;
    const rows: LedgerRows = new Map();
    if (this.events.firstRow.get(event) === NO_SLOT) return rows;
    for (const record of this.#recordsOf(event)) {
      rows.set(this.#handlerIds.nameOf(this.#handler.get(record)), {
        state: this.#states.nameOf(this.#state.get(record)),
        attempts: this.#attempts.get(record),
        updatedAt: this.#updatedAt.get(record),
      });
    }
    return rows;
  }

  keep(event: number, rows: LedgerRows): void {
    this.forget(event);
    if (isAtRest(rows)) this.#writeRecords(event, rows);
    else this.#putObjects(event, rows);
  }

  forget(event: number): void {
    const { rowObjects, firstRow, lastRow } = this.events;
    const place = rowObjects.get(event);
    if (place !== NO_SLOT) {
      this.#objects[place] = undefined;
      this.#unusedPlaces.push(place);
      rowObjects.set(event, NO_SLOT);
    }
    const first = firstRow.get(event);
    if (first !== NO_SLOT) {
      this.#records.release(first, lastRow.get(event));
      firstRow.set(event, NO_SLOT);
    }
  }

  /** Whether any of an event's rows is in this state. */
  hasState(event: number, state: RunState): boolean {
    const number = this.#states.find(state);
    for (const row of this.#objectsOf(event)?.values() ?? []) if (row.state === state) return true;
    for (const record of this.#recordsOf(event)) if (this.#state.get(record) === number) return true;
    return false;
  }

  /** Whether a run of an event is in progress. */
  hasRun(event: number, now: number): boolean {
    for (const row of this.#objectsOf(event)?.values() ?? []) if (isRunning(row, now)) return true;
    return false;
  }

  #objectsOf(event: number): LedgerRows | undefined {
    return this.#objects[this.events.rowObjects.get(event)];
  }

  #putObjects(event: number, rows: LedgerRows): void {
    const place = this.#unusedPlaces.pop() ?? this.#objects.length;
    this.#objects[place] = rows;
    this.events.rowObjects.set(event, place);
  }

  *#recordsOf(event: number): Generator<number, void> {
    const first = this.events.firstRow.get(event);
    for (let record = first; record !== NO_SLOT; record = this.#records.next(record)) yield record;
  }

  #writeRecords(event: number, rows: LedgerRows): void {
    let last = NO_SLOT;
    for (const [handlerId, { state, attempts, updatedAt }] of rows) {
      const record = this.#records.take();
      this.#records.link(record, NO_SLOT);
      this.#handler.set(record, this.#handlerIds.numberOf(handlerId));
      this.#state.set(record, this.#states.numberOf(state));
      this.#attempts.set(record, attempts);
      this.#updatedAt.set(record, updatedAt);
      if (last === NO_SLOT) this.events.firstRow.set(event, record);
      else this.#records.link(last, record);
      last = record;
    }
    this.events.lastRow.set(event, last);
  }
}

/** Whether records can hold the rows. */
function isAtRest(rows: LedgerRows): boolean {
  for (const { state, error } of rows.values()) if (state === 'running' || error) return false;
  return true;
}
