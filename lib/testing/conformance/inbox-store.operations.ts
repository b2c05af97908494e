import type { RunState } from '../../inbox/inbox-queries.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';
import { startWork, workTests } from './inbox-store.work.js';

/** How runs are reopened. */
export function describeReopen(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  describe('reopen', () => {
    it('lets the next claim get a dead run, as the next attempt', async () => {
      const event = anEvent();
      await harness.record(event, 'dead');

      expect(await harness.store.reopen(event)).toEqual(['A.run']);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'failed', attempts: 1 }]);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('leaves a run that is done as it is, unless its handler is named', async () => {
      const event = anEvent();
      await harness.record(event, 'done');

      expect(await harness.store.reopen(event)).toEqual([]);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'done' } });
      expect(await harness.store.reopen(event, ['A.run'])).toEqual(['A.run']);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('leaves a run in progress as it is, even if its handler is named', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);

      expect(await harness.store.reopen(event, ['A.run'])).toEqual([]);
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await harness.store.settle(event, done, lease)).toEqual(['A.run']);
    });

    it('keeps an attempt whose lease had ended from settling the reopened run', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      await harness.advance(LEASE_MS + 1);

      expect(await harness.store.reopen(event, ['A.run'])).toEqual(['A.run']);
      expect(await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual([]);
    });

    it('keeps a settlement that is repeated from settling the reopened run', async () => {
      const event = anEvent();
      const lease = aLease();
      const failed = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      await harness.claim(event, lease);
      await harness.store.settle(event, failed, lease);
      await harness.store.reopen(event);

      expect(await harness.store.settle(event, failed, lease)).toEqual([]);
    });

    it('reopens only the runs whose handlers are named', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      const dead = ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'dead' as const }));
      await harness.store.settle(event, dead, lease);

      expect(await harness.store.reopen(event, ['B.run', 'Unknown.run'])).toEqual(['B.run']);
      expect(await harness.claim(event, aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'dead' },
        'B.run': { state: 'claimed', attempt: 2 },
      });
    });

    it('reopens nothing for an unknown event', async () => {
      expect(await harness.store.reopen(anEvent())).toEqual([]);
      expect(await harness.store.reopen(anEvent(), ['A.run'])).toEqual([]);
    });
  });
}

/** What operators ask of an inbox: to dismiss runs, and to count them. */
export function describeOperations(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, it, expect } = runner;
  const testWork = workTests(harness, runner);

  describe('dismiss', () => {
    for (const state of ['dead', 'failed'] as const) {
      it(`makes a ${state} run done without an attempt, and keeps its error`, async () => {
        const event = anEvent();
        await harness.record(event, state);

        expect(await harness.store.dismiss(event)).toEqual(['A.run']);
        expect((await harness.entryOf(event)).runs).toEqual([
          { handlerId: 'A.run', state: 'done', attempts: 1, updatedAt: expect.any(Date), error: FAILURE },
        ]);
        expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'done' } });
        expect(await harness.store.count({ state })).toBe(0);
      });
    }

    it('leaves runs that are queued, running or done as they are, even if their handlers are named', async () => {
      const lease = aLease();
      const [queued, running, done] = [anEvent(), anEvent(), anEvent()];
      await harness.record(queued, 'queued');
      await harness.claim(running, lease);
      await harness.record(done, 'done');

      for (const event of [queued, running, done]) {
        expect(await harness.store.dismiss(event)).toEqual([]);
        expect(await harness.store.dismiss(event, ['A.run'])).toEqual([]);
      }
      const end = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await harness.store.settle(running, end, lease)).toEqual(['A.run']);
      expect(await harness.claim(queued)).toEqual({ 'A.run': { state: 'queued' } });
    });

    it('dismisses only the runs whose handlers are named', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      const dead = ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'dead' as const }));
      await harness.store.settle(event, dead, lease);

      expect(await harness.store.dismiss(event, ['B.run', 'Unknown.run'])).toEqual(['B.run']);
      expect(await harness.claim(event, aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'dead' },
        'B.run': { state: 'done' },
      });
    });

    it('lets a dismissed run be reopened', async () => {
      const event = anEvent();
      await harness.record(event, 'dead');
      await harness.store.dismiss(event);

      expect(await harness.store.reopen(event, ['A.run'])).toEqual(['A.run']);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('dismisses nothing for an unknown event', async () => {
      expect(await harness.store.dismiss(anEvent())).toEqual([]);
    });
  });

  describe('stats', () => {
    it('count the runs by endpoint, handler and state, and tell when the oldest of their events was received', async () => {
      const events = [anEvent(), anEvent(), anEvent({ endpoint: 'other "€" ' })] as const;
      const [first, second, other] = events;
      await harness.record(first, 'dead');
      await harness.advance(10);
      await harness.record(second, 'dead');
      await harness.claim(second, aLease(), ['B.run']);
      await harness.record(other, 'done');

      const receivedAt = new Map<string, Date>();
      for (const event of events) receivedAt.set(event.eventId, (await harness.entryOf(event)).receivedAt);
      const since = ({ eventId }: { eventId: string }) => receivedAt.get(eventId);
      const counts = [...(await harness.store.stats())].sort((one, two) =>
        one.state.localeCompare(two.state),
      );
      expect(counts).toEqual([
        { endpoint: 'default', handlerId: 'A.run', state: 'dead', count: 2, oldestReceivedAt: since(first) },
        {
          endpoint: other.endpoint,
          handlerId: 'A.run',
          state: 'done',
          count: 1,
          oldestReceivedAt: since(other),
        },
        {
          endpoint: 'default',
          handlerId: 'B.run',
          state: 'running',
          count: 1,
          oldestReceivedAt: since(second),
        },
      ]);
      expect(await harness.store.stats(other.endpoint)).toEqual([counts[1]]);
    });

    it('count only the runs in the given states, each once', async () => {
      const [mixed, done] = [anEvent(), anEvent()] as const;
      await harness.record(mixed, 'dead');
      await harness.claim(mixed, aLease(), ['B.run']);
      await harness.record(done, 'done');

      const stateOf = async (...states: RunState[]) => {
        const counts = await harness.store.stats('default', states);
        return counts.map(({ handlerId, state, count }) => [handlerId, state, count]).sort();
      };
      const [dead, running] = [
        ['A.run', 'dead', 1],
        ['B.run', 'running', 1],
      ];
      expect(await stateOf('queued', 'running', 'failed', 'dead')).toEqual([dead, running]);
      expect(await stateOf('running')).toEqual([running]);
      expect(await stateOf('done', 'running')).toEqual([['A.run', 'done', 1], running]);
      expect(await stateOf('queued')).toEqual([]);
    });

    testWork('count the runs that workers have, or wait for', async (store) => {
      await store.enqueue(anEvent(), ['B.run']);
      await startWork(store);

      const counts = (await store.stats()).map(({ handlerId, state, count }) => [handlerId, state, count]);
      expect(counts.sort()).toEqual([
        ['A.run', 'running', 1],
        ['B.run', 'queued', 1],
      ]);
    });

    it('are empty for an empty inbox, and for events without handlers', async () => {
      expect(await harness.store.stats()).toEqual([]);
      await harness.claim(anEvent(), aLease(), []);
      expect(await harness.store.stats()).toEqual([]);
    });
  });
}

/** Which events are forgotten. */
export function describePrune(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  describe('prune', () => {
    it('forgets the events received before the given time, and returns how many', async () => {
      const [first] = await harness.addEvents(2);
      await harness.advance(1000);
      const [kept] = await harness.addEvents(1);
      const { receivedAt } = await harness.entryOf({ endpoint: 'default', eventId: kept ?? '' });

      expect(await harness.store.prune(receivedAt)).toBe(2);
      expect(await harness.store.get({ endpoint: 'default', eventId: first ?? '' })).toBeUndefined();
      expect((await harness.store.list()).entries).toMatchObject([{ eventId: kept }]);
    });

    it('forgets the runs with their event', async () => {
      const event = anEvent();
      await harness.record(event, 'done');
      const { receivedAt } = await harness.entryOf(event);
      await harness.store.prune(new Date(receivedAt.getTime() + 1));

      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
    });

    it('keeps an event with a run in progress until its lease has ended', async () => {
      const event = anEvent();
      await harness.claim(event);
      const { receivedAt } = await harness.entryOf(event);
      const later = new Date(receivedAt.getTime() + LEASE_MS * 10);

      expect(await harness.store.prune(later)).toBe(0);
      expect(await harness.store.get(event)).toBeDefined();
      await harness.advance(LEASE_MS + 1);
      expect(await harness.store.prune(later)).toBe(1);
    });
  });
}
