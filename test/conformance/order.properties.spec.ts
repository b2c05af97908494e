import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type DueRun, type InboxWorkStore, MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import { describeWithService } from '../helpers/services.js';
import { WORK_DATABASES } from '../helpers/work-stores.js';
import { aLease, anEvent } from './inbox-store.harness.js';

// `HISTORIES=10000 npm test -- order.properties` checks as many of each store.
const HISTORIES = Number(process.env.HISTORIES ?? 200);
// The keys of a batch are worked on at the same time.
const BATCH = 40;
const HANDLER = 'A.run';
const WORKERS = 3;
const DEATHS = 10;

const attempt = fc.constantFrom('fails', 'waits', 'is dead');

/** An event: when it happened, when it arrives, and how its attempts end before one succeeds. */
const event = fc.record({
  occurredAt: fc.integer({ min: 1, max: 9 }),
  arrivesInMs: fc.integer({ min: 0, max: 15 }),
  attempts: fc.array(attempt, { maxLength: 2 }),
});
const history = fc.array(event, { minLength: 1, maxLength: 5 });

type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

/** What the test knows of an event. */
interface Known {
  readonly key: string;
  readonly occurredAt: number;
  readonly attempts: string[];
  /** Since when it has certainly been in the inbox, by the clock of `performance.now()`. */
  enqueuedAt: number;
  isOver: boolean;
  isActive: boolean;
}

/** Plays the histories, each with a key of its own, and returns what was wrong with the order. */
async function play(stores: readonly InboxWorkStore[], histories: readonly History[]): Promise<string[]> {
  const known = new Map<string, Known>();
  const problems: string[] = [];
  const ofKey = (key: string) => [...known.values()].filter((other) => other.key === key);
  const isOver = () => [...known.values()].every((other) => other.isOver);
  let arrivals = histories.flat().length;

  const arrive = async (store: InboxWorkStore, key: string, given: History[number]) => {
    const recorded = anEvent();
    const { occurredAt, arrivesInMs } = given;
    await delay(arrivesInMs);
    const entry: Known = {
      key,
      occurredAt,
      attempts: [...given.attempts],
      enqueuedAt: Number.POSITIVE_INFINITY,
      isOver: false,
      isActive: false,
    };
    known.set(recorded.eventId, entry);
    await store.enqueue(recorded, [HANDLER], new Map([[HANDLER, { key, occurredAt }]]));
    entry.enqueuedAt = performance.now();
    arrivals -= 1;
  };

  const perform = async (store: InboxWorkStore, run: DueRun, lease: ReturnType<typeof aLease>) => {
    const own = known.get(run.eventId);
    if (!own) return;
    await new Promise(setImmediate);
    const end = own.attempts.shift() ?? 'is done';
    own.isActive = false;
    own.isOver = end.startsWith('is');
    const retryInMs = end === 'waits' ? 10 : 0;
    const state = end === 'is done' ? 'done' : end === 'is dead' ? 'dead' : 'failed';
    await store.settle(run, [{ handlerId: HANDLER, state, retryInMs }], lease);
    await store.endTurn?.(run, HANDLER, run.orderKey ?? '', lease);
  };

  const work = async (store: InboxWorkStore) => {
    while (arrivals > 0 || !isOver()) {
      const lease = aLease({ durationMs: 60_000 });
      const askedAt = performance.now();
      const { runs } = await store.takeDue({ endpoint: 'default', handlerIds: [HANDLER], limit: 5, lease });
      for (const run of runs) {
        const own = known.get(run.eventId);
        if (!own) continue;
        const others = ofKey(own.key).filter((other) => other !== own);
        if (others.some((other) => other.isActive)) problems.push(`${run.eventId} overlaps`);
        const overtaken = others.some(
          (other) => !other.isOver && other.enqueuedAt < askedAt && other.occurredAt < own.occurredAt,
        );
        if (overtaken) problems.push(`${run.eventId} overtakes`);
        own.isActive = true;
      }
      await Promise.all(runs.map((run) => perform(store, run, lease)));
      if (runs.length === 0) await delay(2);
    }
  };

  /** A worker that dies whenever it has taken a run: the run is free when its lease has ended. */
  const die = async (store: InboxWorkStore) => {
    for (let deaths = 0; deaths < DEATHS && (arrivals > 0 || !isOver()); deaths += 1) {
      const lease = aLease({ durationMs: 20 });
      await store.takeDue({ endpoint: 'default', handlerIds: [HANDLER], limit: 2, lease });
      await delay(10);
    }
  };

  const of = (index: number) => stores[index % stores.length] as InboxWorkStore;
  await Promise.all([
    ...histories.flatMap((events, index) =>
      events.map((given, other) => arrive(of(other), `key-${batchNumber}-${index}`, given)),
    ),
    die(of(0)),
    ...Array.from({ length: WORKERS }, (_, index) => work(of(index))),
  ]);
  batchNumber += 1;
  return problems;
}

let batchNumber = 0;

/** @param openStores opens the same inbox several times, as processes do */
function describeOrder(name: string, openStores: () => Promise<readonly InboxWorkStore[]>): void {
  describe(`order with ${name}`, () => {
    it(`handles each key one at a time and oldest first, in any of ${HISTORIES} histories`, async () => {
      const stores = await openStores();
      const batches = fc.array(history, { minLength: BATCH, maxLength: BATCH });
      await fc.assert(
        fc.asyncProperty(batches, async (histories) => {
          expect(await play(stores, histories)).toEqual([]);
        }),
        { numRuns: Math.ceil(HISTORIES / BATCH), endOnFailure: true },
      );
    }, 3_600_000);
  });
}

describeOrder('the memory inbox', async () => [new MemoryInboxStore()]);

await describeWithService('postgres', 'order', () => {
  describe.each(WORK_DATABASES)('on %s', (name, openDatabase) => {
    describeOrder(name, async () => {
      const database = await openDatabase();
      return [database.open(), database.open()];
    });
  });
});
