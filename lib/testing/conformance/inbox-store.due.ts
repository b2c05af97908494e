import type { RunSettlement } from '../../inbox/inbox-store.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';
import { eventIdsOf, startWork, take, workTests } from './inbox-store.work.js';

const HOUR_MS = 60 * 60 * 1000;
const DONE: readonly RunSettlement[] = [{ handlerId: 'A.run', state: 'done' }];

function failed(retryInMs?: number): readonly RunSettlement[] {
  const wait = retryInMs === undefined ? {} : { retryInMs };
  return [{ handlerId: 'A.run', state: 'failed', error: FAILURE, ...wait }];
}

/** Which runs a worker takes. */
export function describeDue(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, expect } = runner;
  const test = workTests(harness, runner);

  describe('takeDue', () => {
    test('returns a run with its event, as it was received', async (store) => {
      const event = anEvent({
        delivery: {
          id: 'msg_1',
          headers: { 'x-ténant': ['a', 'b\u0000'] },
          carried: { traceparent: '00-1-2-01' },
        },
      });
      await store.enqueue(event, ['A.run']);

      const { runs, isPaused } = await take(store);

      expect(isPaused).toBe(false);
      const { payload, receivedAt, ...run } = runs[0] ?? { payload: new Uint8Array() };
      expect(run).toEqual({
        endpoint: event.endpoint,
        eventId: event.eventId,
        type: event.type,
        occurredAt: event.occurredAt,
        delivery: event.delivery,
        handlerId: 'A.run',
        attempt: 1,
        workerAttempt: 1,
      });
      expect(Buffer.from(payload ?? []).equals(Buffer.from(event.payload))).toBe(true);
      expect(receivedAt).toEqual((await harness.entryOf(event)).receivedAt);
    });

    test('takes only runs of the endpoint and of the handlers that it is given', async (store) => {
      const other = anEvent({ endpoint: 'other' });
      const own = anEvent();
      await store.enqueue(other, ['A.run']);
      await store.enqueue(own, ['A.run', 'B.run']);

      expect((await take(store)).runs).toMatchObject([{ eventId: own.eventId, handlerId: 'A.run' }]);
      expect((await take(store, [])).runs).toEqual([]);
    });

    test('takes at most as many as it is asked for, those first that have waited longest', async (store) => {
      const events = [anEvent(), anEvent(), anEvent()];
      for (const event of events) {
        await store.enqueue(event, ['A.run']);
        await harness.advance(5);
      }

      expect(eventIdsOf(await take(store, ['A.run'], aLease(), 2)).sort()).toEqual(
        events
          .slice(0, 2)
          .map(({ eventId }) => eventId)
          .sort(),
      );
      expect(eventIdsOf(await take(store))).toEqual([events[2]?.eventId]);
    });

    test('takes those first that have waited longest, whatever their handlers are', async (store) => {
      const waiting = anEvent();
      await store.enqueue(waiting, ['B.run']);
      await harness.advance(5);
      for (const event of [anEvent(), anEvent(), anEvent()]) await store.enqueue(event, ['A.run']);

      expect(eventIdsOf(await take(store, ['A.run', 'B.run'], aLease(), 1))).toEqual([waiting.eventId]);
    });

    test('gives each run to exactly one of many workers', async (store) => {
      const events = Array.from({ length: 30 }, () => anEvent());
      await Promise.all(events.map((event) => store.enqueue(event, ['A.run'])));

      const taken: string[] = [];
      for (let round = 0; round < 10 && taken.length < events.length; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 6 }, () => take(store, ['A.run'], aLease(), 3)),
        );
        taken.push(...answers.flatMap(eventIdsOf));
      }

      expect(taken.sort()).toEqual(events.map(({ eventId }) => eventId).sort());
    });

    test('makes a run running, so that neither deliveries nor workers get it', async (store) => {
      const { event } = await startWork(store);

      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
      expect((await take(store)).runs).toEqual([]);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'running', attempts: 1 }]);
    });

    test('takes a run again when its lease has ended, and fences the attempt that lost it', async (store) => {
      const { event, lease: lost } = await startWork(store);
      await harness.advance(LEASE_MS + 1);
      const next = aLease();

      expect((await take(store, ['A.run'], next)).runs).toMatchObject([{ attempt: 2, workerAttempt: 2 }]);
      expect(await store.settle(event, DONE, lost)).toEqual([]);
      expect(await store.settle(event, DONE, next)).toEqual(['A.run']);
    });

    test('takes a failed run when its wait is over', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, failed(HOUR_MS), lease);
      await harness.advance(HOUR_MS / 2);
      expect((await take(store)).runs).toEqual([]);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'failed', error: FAILURE }]);

      await harness.advance(HOUR_MS / 2 + 1);

      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 2, lastError: FAILURE }]);
      expect((await harness.entryOf(event)).runs[0]?.error).toBeUndefined();
      await harness.advance(LEASE_MS + 1);
      expect((await take(store)).runs[0]?.lastError).toBeUndefined();
    });

    test('takes a failed run of a worker at once if its settlement names no wait', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, failed(), lease);

      expect((await take(store)).runs).toMatchObject([{ attempt: 2 }]);
    });

    test('takes a run again that was put back, without counting the attempt', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, [{ handlerId: 'A.run', state: 'queued', retryInMs: HOUR_MS }], lease);
      expect((await take(store)).runs).toEqual([]);
      await harness.advance(HOUR_MS + 1);

      expect((await take(store)).runs).toMatchObject([{ attempt: 1, workerAttempt: 1 }]);
    });

    test('takes a failed run when its first settlement says, even if the settlement is repeated', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, failed(HOUR_MS), lease);
      await harness.advance(HOUR_MS / 2);

      expect(await store.settle(event, failed(HOUR_MS), lease)).toEqual(['A.run']);

      expect((await take(store)).runs).toEqual([]);
      await harness.advance(HOUR_MS / 2 + 1);
      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 2 }]);
    });

    test('does not count the attempt of a run that was put back twice', async (store) => {
      const { event, lease } = await startWork(store);
      const queued: readonly RunSettlement[] = [{ handlerId: 'A.run', state: 'queued' }];

      expect(await store.settle(event, queued, lease)).toEqual(['A.run']);
      expect(await store.settle(event, queued, lease)).toEqual(['A.run']);

      expect((await take(store)).runs).toMatchObject([{ attempt: 1, workerAttempt: 1 }]);
    });

    test('never takes a failed run that was dismissed', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, failed(HOUR_MS), lease);

      expect(await store.dismiss(event)).toEqual(['A.run']);
      await harness.advance(HOUR_MS + 1);

      expect((await take(store)).runs).toEqual([]);
      expect(Object.fromEntries(await store.enqueue(event, ['A.run']))).toEqual({ 'A.run': 'done' });
      expect((await take(store)).runs).toEqual([]);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done', error: FAILURE }]);
    });

    test('never takes a run again that is done or dead', async (store) => {
      for (const state of ['done', 'dead'] as const) {
        const { event, lease } = await startWork(store);
        await store.settle(event, [{ handlerId: 'A.run', state }], lease);
        await harness.advance(LEASE_MS + 1);

        expect((await take(store)).runs).toEqual([]);
      }
    });

    test('never takes a run again that was completed in a transaction', async (store) => {
      const { event, lease } = await startWork(store);
      if (!store.transaction) return;
      await store.transaction(event, 'A.run', lease, async () => {});
      await harness.advance(LEASE_MS + 1);

      expect((await take(store)).runs).toEqual([]);
      expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
    });

    test('takes no runs that were only claimed by deliveries', async (store) => {
      await harness.claim(anEvent());
      await harness.record(anEvent(), 'failed');
      await harness.record(anEvent(), 'queued');
      await harness.advance(HOUR_MS);

      expect((await take(store)).runs).toEqual([]);
    });

    test('takes a claimed run that nobody settled, when the claim says so', async (store) => {
      const event = anEvent();
      await harness.claim(event, aLease({ retryInMs: HOUR_MS }));
      await harness.advance(LEASE_MS + 1);
      expect((await take(store)).runs).toEqual([]);

      await harness.advance(HOUR_MS);

      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 1 }]);
    });

    test('takes a claimed run that failed, when the settlement says so', async (store) => {
      const event = anEvent();
      const lease = aLease({ retryInMs: HOUR_MS });
      await harness.claim(event, lease);
      await store.settle(event, failed(HOUR_MS), lease);
      expect((await take(store)).runs).toEqual([]);

      expect(await harness.claim(event, lease)).toMatchObject({ 'A.run': { state: 'claimed' } });
      await store.settle(event, failed(HOUR_MS), lease);
      await harness.advance(HOUR_MS + 1);

      expect((await take(store)).runs).toMatchObject([{ attempt: 3, workerAttempt: 1 }]);
    });

    test('takes a run that a delivery claimed from the workers, once its lease has ended', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, failed(HOUR_MS), lease);
      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'claimed', attempt: 2 } });
      expect((await take(store)).runs).toEqual([]);
      await harness.advance(LEASE_MS + 1);

      expect((await take(store)).runs).toMatchObject([{ attempt: 3, workerAttempt: 1 }]);
    });

    test('takes a reopened run at once, and counts its attempts anew', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, failed(HOUR_MS), lease);

      expect(await store.reopen(event)).toEqual(['A.run']);

      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 1 }]);
    });

    test('takes a dead run that was reopened and enqueued', async (store) => {
      const { event, lease } = await startWork(store);
      await store.settle(event, [{ handlerId: 'A.run', state: 'dead', error: FAILURE }], lease);
      await store.reopen(event);
      await store.enqueue(event, ['A.run']);

      expect((await take(store)).runs).toMatchObject([{ attempt: 2, workerAttempt: 1 }]);
    });

    test('takes no runs of a forgotten event', async (store) => {
      const event = anEvent();
      await store.enqueue(event, ['A.run']);
      const { receivedAt } = await harness.entryOf(event);
      await store.prune(new Date(receivedAt.getTime() + 1));

      expect((await take(store)).runs).toEqual([]);
    });
  });
}
