/** One of the messages in which an event is sent; each has retries of its own. */
export interface PlannedCopy {
  /** Which of the events it is. */
  readonly index: number;
  /** Which of the event's copies it is, from 1. */
  readonly copy: number;
}

/** How many copies there are, and in which order. */
export interface PlanOptions {
  readonly duplicates: number;
  readonly reorder: boolean;
  readonly seed: number;
}

/** The first deliveries of a simulation in their order; the same for the same seed. */
export function planCopies(events: number, { duplicates, reorder, seed }: PlanOptions): PlannedCopy[] {
  const random = seededRandom(seed);
  const planned = Array.from({ length: events }, (_, index) => {
    const copies = 1 + Math.floor(random() * duplicates);
    return Array.from({ length: copies }, (_, before) => ({ index, copy: before + 1 }));
  }).flat();
  return reorder ? shuffled(planned, random) : planned;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** A pseudo-random generator (mulberry32), from 0 up to, not including, 1. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
