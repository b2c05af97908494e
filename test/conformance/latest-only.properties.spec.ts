import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { type InboxStore, MemoryInboxStore } from 'nestjs-scalekit-webhooks';
import { cleanUpAfterTest } from '../helpers/cleanup.js';
import { redisInboxHarness } from '../helpers/redis-inbox.js';
import { describeWithService } from '../helpers/services.js';
import { WORK_DATABASES } from '../helpers/work-stores.js';
import { anEvent } from './inbox-store.harness.js';

// `HISTORIES=10000 npm test -- latest-only` checks as many of each store.
const HISTORIES = Number(process.env.HISTORIES ?? 200);
// Histories of different entities run at the same time.
const BATCH = 50;
const HANDLER = 'A.run';
const LEASE_MS = 60_000;
// How long the lease of an attempt lasts whose process dies.
const CRASH_LEASE_MS = 40;

/** How an attempt ends. An attempt that fails or dies may have had its effect before that. */
const attempt = fc.constantFrom('fails', 'fails after its effect', 'dies', 'dies after its effect');

/** An event: when it happened, when it arrives (and once more), and how its attempts end before one succeeds. */
const event = fc.record({
  occurredAt: fc.integer({ min: 1, max: 6 }),
  arrivesInMs: fc.integer({ min: 0, max: 12 }),
  isSentTwice: fc.boolean(),
  attempts: fc.array(attempt, { maxLength: 2 }),
});
const history = fc.array(event, { minLength: 2, maxLength: 5 });

type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

/** The state that a handler copies from the events of one entity, and how many attempts work on it at once. */
class CopiedState {
  value: number | undefined;
  #active = 0;
  overlaps = 0;

  async write(value: number): Promise<void> {
    this.#active += 1;
    if (this.#active > 1) this.overlaps += 1;
    this.value = value;
    await new Promise(setImmediate);
    this.value = value;
    this.#active -= 1;
  }
}

async function play(stores: readonly InboxStore[], events: History): Promise<CopiedState> {
  const state = new CopiedState();
  const name = `user:${randomUUID()}`;
  const deliveries = events.flatMap((given) => {
    const recorded = anEvent();
    const attempts = [...given.attempts];
    const deliver = async (store: InboxStore, inMs: number) => {
      await delay(inMs);
      while (!(await attemptOnce(store))) await delay(Math.random() * 10);
    };
    /** Whether the run is done. */
    const attemptOnce = async (store: InboxStore): Promise<boolean> => {
      const end = attempts.shift() ?? 'succeeds';
      const durationMs = end.startsWith('dies') ? CRASH_LEASE_MS : LEASE_MS;
      const lease = { token: randomUUID(), durationMs };
      const leaseEndsAt = Date.now() + durationMs;
      const claim = (await store.claim(recorded, [HANDLER], lease)).get(HANDLER);
      if (claim?.state !== 'claimed') {
        if (end !== 'succeeds') attempts.unshift(end);
        return claim?.state === 'done';
      }
      for (;;) {
        const entity = { name, occurredAt: given.occurredAt };
        const admission = await store.admit?.(recorded, HANDLER, lease, entity);
        if (admission === 'stale') {
          await store.settle(recorded, [{ handlerId: HANDLER, state: 'done' }], lease);
          return true;
        }
        if (admission === 'admitted') break;
        if (Date.now() > leaseEndsAt) return false;
        await delay(Math.random() * 5);
      }
      // A process that died had its effect while it still had its lease.
      if (end === 'dies after its effect' && Date.now() < leaseEndsAt) state.value = given.occurredAt;
      if (end.startsWith('dies')) return false;
      if (end !== 'fails') await state.write(given.occurredAt);
      const settled = end === 'succeeds' ? 'done' : 'failed';
      await store.settle(recorded, [{ handlerId: HANDLER, state: settled }], lease);
      return end === 'succeeds';
    };
    return [given.arrivesInMs, ...(given.isSentTwice ? [given.arrivesInMs + 3] : [])].map((inMs, index) =>
      deliver(stores[(index + given.occurredAt) % stores.length] as InboxStore, inMs),
    );
  });
  await Promise.all(deliveries);
  return state;
}

/** @param stores open the same inbox, as processes do */
function describeLatestOnly(name: string, openStores: () => Promise<readonly InboxStore[]>): void {
  describe(`latestOnly with ${name}`, () => {
    it(`leaves the state of the newest event, in any of ${HISTORIES} histories`, async () => {
      const stores = await openStores();
      const batches = fc.array(history, { minLength: BATCH, maxLength: BATCH });
      await fc.assert(
        fc.asyncProperty(batches, async (histories) => {
          const states = await Promise.all(histories.map((events) => play(stores, events)));

          states.forEach(({ value, overlaps }, index) => {
            const newest = Math.max(...(histories[index] ?? []).map(({ occurredAt }) => occurredAt));
            expect({ value, overlaps }).toEqual({ value: newest, overlaps: 0 });
          });
        }),
        { numRuns: Math.ceil(HISTORIES / BATCH), endOnFailure: true },
      );
    }, 3_600_000);
  });
}

describeLatestOnly('the memory inbox', async () => [new MemoryInboxStore()]);

await describeWithService('postgres', 'latestOnly', () => {
  describe.each(WORK_DATABASES)('on %s', (name, openDatabase) => {
    describeLatestOnly(name, async () => {
      const database = await openDatabase();
      return [database.open(), database.open()];
    });
  });
});

await describeWithService('redis', 'latestOnly on a Redis', (url) => {
  describeLatestOnly('Redis', async () => {
    const client = new Redis(url);
    const harness = redisInboxHarness(client);
    cleanUpAfterTest(async () => {
      await harness.dispose();
      await client.quit();
    });
    return [harness.store];
  });
});
