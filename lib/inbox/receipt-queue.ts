import { NO_SLOT } from './byte-records.js';
import type { EventRecords } from './event-records.js';
import type { EventRows } from './event-rows.js';

/** What is to be forgotten: what was received before a time, and the oldest beyond a number. */
export interface ForgettingBounds {
  readonly before: number;
  readonly atMost: number;
}

// How many of those set aside are looked at in vain each time: however many they are, it takes no longer.
const LOOKS_IN_VAIN = 4;

/**
 * Events in the order of receipt, in which they are forgotten. One that has a run in progress when its turn comes is set
 * aside, so that nobody has to pass it again; those set aside are looked at in turns.
 */
export class ReceiptQueue {
  #oldest = NO_SLOT;
  #newest = NO_SLOT;
  readonly #aside = new Set<number>();
  #turns = this.#aside.values();

  constructor(
    private readonly events: EventRecords,
    private readonly rows: EventRows,
  ) {}

  append(event: number): void {
    const { records } = this.events;
    records.link(event, NO_SLOT);
    if (this.#oldest === NO_SLOT) this.#oldest = event;
    else records.link(this.#newest, event);
    this.#newest = event;
  }

  /** All events, oldest first: those set aside are older than the others. */
  *all(): Generator<number, void> {
    yield* this.#aside;
    for (let event = this.#oldest; event !== NO_SLOT; event = this.events.records.next(event)) yield event;
  }

  /** Prepares for a claim that is going to forget an event. */
  readAhead(hash: number): void {
    this.events.readAhead(hash, this.#oldest);
  }

  forget(bounds: ForgettingBounds, now: number): void {
    this.#forgetAside(bounds, now, LOOKS_IN_VAIN);
    this.#forgetQueued(bounds, now);
  }

  /** Forgets all that can be, however many are set aside. */
  forgetAll(bounds: ForgettingBounds, now: number): void {
    this.#forgetAside(bounds, now, this.#aside.size);
    this.#forgetQueued(bounds, now);
  }

  #forgetAside(bounds: ForgettingBounds, now: number, looksInVain: number): void {
    if (this.#aside.size <= looksInVain) this.#turns = this.#aside.values();
    for (let looks = 0; looks < looksInVain; ) {
      const event = this.#nextAside();
      if (event === undefined) return;
      if (this.#isDue(event, bounds) && !this.rows.hasRun(event, now)) {
        this.#aside.delete(event);
        this.#forget(event);
      } else looks += 1;
    }
  }

  #forgetQueued(bounds: ForgettingBounds, now: number): void {
    while (this.#oldest !== NO_SLOT && this.#isDue(this.#oldest, bounds)) {
      const event = this.#oldest;
      this.#oldest = this.events.records.next(event);
      if (this.rows.hasRun(event, now)) this.#aside.add(event);
      else this.#forget(event);
    }
  }

  #nextAside(): number | undefined {
    if (this.#aside.size === 0) return undefined;
    const turn = this.#turns.next();
    if (!turn.done) return turn.value;
    this.#turns = this.#aside.values();
    return this.#turns.next().value;
  }

  #isDue(event: number, { before, atMost }: ForgettingBounds): boolean {
    return this.events.size > atMost || this.events.receivedAt.get(event) < before;
  }

  #forget(event: number): void {
    this.rows.forget(event);
    this.events.remove(event);
  }
}
