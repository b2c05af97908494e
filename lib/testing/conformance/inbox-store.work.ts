import type { InboxLease, RunSettlement } from '../../inbox/inbox-store.js';
import { type DueRuns, type InboxWorkStore, isWorkStore } from '../../inbox/inbox-work.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  LEASE_MS,
} from './inbox-store.harness.js';

const DONE: readonly RunSettlement[] = [{ handlerId: 'A.run', state: 'done' }];

/** Registers tests of stores that workers can take runs from. Other stores pass them. */
export function workTests(harness: ConformanceHarness, { it }: ConformanceRunner) {
  return (name: string, body: (store: InboxWorkStore) => Promise<void>) =>
    it(name, async () => {
      if (isWorkStore(harness.store)) await body(harness.store);
    });
}

/** Takes due runs of the handlers, as a worker does. */
export function take(store: InboxWorkStore, handlerIds = ['A.run'], lease = aLease(), limit = 10) {
  return store.takeDue({ endpoint: 'default', handlerIds, limit, lease });
}

export function eventIdsOf({ runs }: DueRuns): string[] {
  return runs.map(({ eventId }) => eventId);
}

/** Enqueues a run, and lets a worker take it. */
export async function startWork(store: InboxWorkStore) {
  const event = anEvent();
  const lease = aLease();
  await store.enqueue(event, ['A.run']);
  return { event, lease, taken: await take(store, ['A.run'], lease) };
}

/** Handing runs to workers, and what workers do besides taking them. */
export function describeWork(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, expect } = runner;
  const test = workTests(harness, runner);

  describe('enqueue', () => {
    test('records a new event with queued runs that have no attempt', async (store) => {
      const event = anEvent();

      expect(Object.fromEntries(await store.enqueue(event, ['A.run', 'B.run']))).toEqual({
        'A.run': 'queued',
        'B.run': 'queued',
      });
      const { type, occurredAt, runs } = await harness.entryOf(event);
      expect({ type, occurredAt }).toEqual({ type: event.type, occurredAt: event.occurredAt });
      expect(runs.map(({ state, attempts }) => [state, attempts])).toEqual([
        ['queued', 0],
        ['queued', 0],
      ]);
    });

    test('can be repeated, and adds only the runs of new handlers', async (store) => {
      const { event } = await startWork(store);

      expect(Object.fromEntries(await store.enqueue(event, ['A.run', 'New.run']))).toEqual({
        'A.run': 'running',
        'New.run': 'queued',
      });
      expect((await take(store, ['A.run', 'New.run'])).runs).toMatchObject([{ handlerId: 'New.run' }]);
    });

    test('leaves runs that are done or dead as they are', async (store) => {
      for (const state of ['done', 'dead'] as const) {
        const event = anEvent();
        await harness.record(event, state);

        expect(Object.fromEntries(await store.enqueue(event, ['A.run']))).toEqual({ 'A.run': state });
      }
      expect((await take(store)).runs).toEqual([]);
    });

    test('hands over a run that failed in a delivery', async (store) => {
      const event = anEvent();
      await harness.record(event, 'failed');
      expect((await take(store)).runs).toEqual([]);

      expect(Object.fromEntries(await store.enqueue(event, ['A.run']))).toEqual({ 'A.run': 'queued' });
      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 1 }]);
    });

    test('hands over a run that a delivery has claimed, once its lease has ended', async (store) => {
      const event = anEvent();
      await harness.claim(event);

      expect(Object.fromEntries(await store.enqueue(event, ['A.run']))).toEqual({ 'A.run': 'running' });
      expect((await take(store)).runs).toEqual([]);
      await harness.advance(LEASE_MS + 1);
      expect(eventIdsOf(await take(store))).toEqual([event.eventId]);
    });

    test('queues each run once, however many calls arrive at the same time', async (store) => {
      const event = anEvent();

      const answers = await Promise.all(
        Array.from({ length: 20 }, () => store.enqueue(event, ['A.run', 'B.run'])),
      );

      for (const states of answers) expect([...states.values()]).toEqual(['queued', 'queued']);
      expect((await take(store, ['A.run', 'B.run'])).runs).toHaveLength(2);
    });

    test('does not give a queued run to a delivery', async (store) => {
      const event = anEvent();
      await store.enqueue(event, ['A.run']);

      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'queued' } });
    });

    test('gives a queued run to a delivery that executes it itself, and back to the workers if it has no result', async (store) => {
      const event = anEvent();
      await store.enqueue(event, ['A.run']);

      expect(await harness.claim(event, aLease({ takesQueued: true }))).toEqual({
        'A.run': { state: 'claimed', attempt: 1 },
      });
      expect((await take(store)).runs).toEqual([]);
      await harness.advance(LEASE_MS + 1);
      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 1 }]);
    });
  });

  describe('extend', () => {
    const extend = (store: InboxWorkStore, event: ReturnType<typeof anEvent>, lease: InboxLease) =>
      store.extend(event, 'A.run', lease);

    test('lets a lease begin anew', async (store) => {
      const { event, lease } = await startWork(store);
      await harness.advance(LEASE_MS * 0.75);

      expect(await extend(store, event, lease)).toBe(true);

      await harness.advance(LEASE_MS * 0.75);
      expect((await take(store)).runs).toEqual([]);
      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
      await harness.advance(LEASE_MS);
      expect(eventIdsOf(await take(store))).toEqual([event.eventId]);
    });

    test('does nothing for a run that another worker has taken, or that has ended', async (store) => {
      const { event, lease: lost } = await startWork(store);
      await harness.advance(LEASE_MS + 1);
      const next = aLease();
      await take(store, ['A.run'], next);

      expect(await extend(store, event, lost)).toBe(false);
      await store.settle(event, DONE, next);
      expect(await extend(store, event, next)).toBe(false);
      expect(await extend(store, anEvent(), next)).toBe(false);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done' }]);
    });
  });

  describe('stranded', () => {
    test('counts the runs of other handlers that have been due for so long', async (store) => {
      const stranded = async () => Object.fromEntries(await store.stranded('default', ['A.run'], 1000));
      for (const event of [anEvent(), anEvent()]) await store.enqueue(event, ['A.run', 'Old.run']);
      await store.enqueue(anEvent({ endpoint: 'other' }), ['Old.run']);
      expect(await stranded()).toEqual({});

      await harness.advance(1001);

      expect(await stranded()).toEqual({ 'Old.run': 2 });
      await take(store, ['Old.run']);
      expect(await stranded()).toEqual({});
    });
  });

  describe('setPaused', () => {
    test('keeps workers from taking runs of the endpoint, until it ends', async (store) => {
      const event = anEvent();
      await store.setPaused('default', true);
      await store.setPaused('default', true);
      await store.enqueue(event, ['A.run']);

      expect(await take(store)).toEqual({ runs: [], isPaused: true });
      expect([await store.isPaused('default'), await store.isPaused('other')]).toEqual([true, false]);

      await store.setPaused('default', false);
      expect(await store.isPaused('default')).toBe(false);
      expect(eventIdsOf(await take(store))).toEqual([event.eventId]);
    });

    test('keeps the runs of other endpoints going', async (store) => {
      await store.setPaused('other', true);
      const { taken } = await startWork(store);

      expect(taken.runs).toHaveLength(1);
    });

    test('leaves attempts in progress alone', async (store) => {
      const { event, lease } = await startWork(store);
      await store.setPaused('default', true);

      expect(await store.extend(event, 'A.run', lease)).toBe(true);
      expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
    });
  });
}
