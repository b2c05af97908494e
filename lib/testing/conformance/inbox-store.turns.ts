import type { RunSettlement } from '../../inbox/inbox-store.js';
import type { InboxWorkStore } from '../../inbox/inbox-work.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';
import { take, workTests } from './inbox-store.work.js';

const DONE: readonly RunSettlement[] = [{ handlerId: 'A.run', state: 'done' }];

/** Runs that keep an order. A store without `endTurn` passes. */
export function describeTurns(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, expect } = runner;
  const test = workTests(harness, runner);

  describe('runs with a place', () => {
    const place = (key: string, occurredAt: number) => new Map([['A.run', { key, occurredAt }]]);
    const placeAt = (occurredAt: number) => place('key-1', occurredAt);

    /** Enqueues runs of one key that happened at these times, and returns their events by time. */
    async function line(store: InboxWorkStore, ...times: readonly number[]) {
      const events = new Map<number, ReturnType<typeof anEvent>>();
      for (const time of times) {
        const event = anEvent();
        events.set(time, event);
        await store.enqueue(event, ['A.run'], placeAt(time));
      }
      const idAt = (time: number) => events.get(time)?.eventId;
      return { events, idAt };
    }

    const ordered = (name: string, body: (store: TurnStore) => Promise<void>) =>
      test(name, async (store) => {
        if (store.endTurn) await body(store as TurnStore);
      });

    /** Takes what can be taken, which must be a single run, and returns it. */
    async function takeOne(store: InboxWorkStore, lease = aLease()) {
      const [run, ...others] = (await take(store, ['A.run'], lease)).runs;
      expect(others).toEqual([]);
      return { run, lease };
    }

    /** Settles a run, and ends its turn. */
    async function end(
      store: TurnStore,
      { run, lease }: Awaited<ReturnType<typeof takeOne>>,
      settlement: Omit<RunSettlement, 'handlerId'> = { state: 'done' },
    ) {
      if (!run) throw new Error('No run was taken.');
      await store.settle(run, [{ handlerId: 'A.run', ...settlement }], lease);
      await store.endTurn(run, 'A.run', run.orderKey ?? '', lease);
    }

    ordered('are taken one at a time, those first that happened first', async (store) => {
      const { idAt } = await line(store, 20, 10, 30);

      for (const time of [10, 20, 30]) {
        const taken = await takeOne(store);
        expect(taken.run).toMatchObject({ eventId: idAt(time), orderKey: 'key-1' });
        expect((await take(store)).runs).toEqual([]);
        await end(store, taken);
      }
      expect((await take(store)).runs).toEqual([]);
    });

    ordered('of other keys and handlers, and runs without a place, do not wait for them', async (store) => {
      await line(store, 10, 20);
      const [other, without] = [anEvent(), anEvent()];
      const places = new Map([...place('key-2', 30), ['B.run', { key: 'key-1', occurredAt: 30 }] as const]);
      await store.enqueue(other, ['A.run', 'B.run'], places);
      await store.enqueue(without, ['A.run']);

      expect((await take(store, ['A.run', 'B.run'])).runs).toHaveLength(4);
    });

    ordered('are held back by one that failed, until it is done', async (store) => {
      const { idAt } = await line(store, 10, 20);
      await end(store, await takeOne(store), { state: 'failed', error: FAILURE, retryInMs: LEASE_MS * 3 });
      expect((await take(store)).runs).toEqual([]);

      await harness.advance(LEASE_MS * 3 + 1);
      const again = await takeOne(store);
      expect(again.run).toMatchObject({ eventId: idAt(10), attempt: 2 });
      await end(store, again);
      expect((await takeOne(store)).run?.eventId).toBe(idAt(20));
    });

    ordered('say at the end of a turn whether another one can be taken now', async (store) => {
      await line(store, 10, 20);
      const [first, lease] = [await takeOne(store), aLease()];
      await store.settle(first.run ?? anEvent(), DONE, first.lease);
      expect(await store.endTurn(first.run ?? anEvent(), 'A.run', 'key-1', first.lease)).toBe(true);

      const second = await takeOne(store, lease);
      const later = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE, retryInMs: LEASE_MS }];
      await store.settle(second.run ?? anEvent(), later, lease);
      await store.endTurn(second.run ?? anEvent(), 'A.run', 'key-1', lease);

      expect((await take(store)).runs).toEqual([]);
    });

    ordered('lose it if they are handed over again without one', async (store) => {
      const { events } = await line(store, 10);
      const event = events.get(10) ?? anEvent();
      await end(store, await takeOne(store), { state: 'dead', error: FAILURE });
      await store.reopen(event, ['A.run']);

      await store.enqueue(event, ['A.run']);

      const { run } = await takeOne(store);
      expect(run).toMatchObject({ eventId: event.eventId });
      expect(run?.orderKey).toBe(undefined);
    });

    ordered('go on after one that is dead', async (store) => {
      const { idAt } = await line(store, 10, 20);
      await end(store, await takeOne(store), { state: 'dead', error: FAILURE });

      expect((await takeOne(store)).run?.eventId).toBe(idAt(20));
    });

    ordered('go on after one that is dismissed', async (store) => {
      const { events, idAt } = await line(store, 10, 20);
      await end(store, await takeOne(store), { state: 'failed', error: FAILURE, retryInMs: LEASE_MS * 3 });
      expect((await take(store)).runs).toEqual([]);

      await store.dismiss(events.get(10) ?? anEvent());

      expect((await takeOne(store)).run?.eventId).toBe(idAt(20));
    });

    ordered('wait for an older one that arrives while one fails', async (store) => {
      const { idAt } = await line(store, 20, 30);
      await end(store, await takeOne(store), { state: 'failed', error: FAILURE, retryInMs: LEASE_MS * 3 });
      const late = await line(store, 10);

      const taken = await takeOne(store);
      expect(taken.run?.eventId).toBe(late.idAt(10));
      await end(store, taken);
      expect((await take(store)).runs).toEqual([]);
      await harness.advance(LEASE_MS * 3 + 1);
      expect((await takeOne(store)).run?.eventId).toBe(idAt(20));
    });

    ordered('do not overtake one in progress, even if they happened before it', async (store) => {
      await line(store, 20);
      const taken = await takeOne(store);
      const { idAt } = await line(store, 10);

      expect((await take(store)).runs).toEqual([]);
      await end(store, taken);
      expect((await takeOne(store)).run?.eventId).toBe(idAt(10));
    });

    ordered('wait for one whose lease is extended, and for one whose worker died', async (store) => {
      const { events, idAt } = await line(store, 10, 20);
      const { lease } = await takeOne(store);
      await harness.advance(LEASE_MS * 0.75);
      await store.extend(events.get(10) ?? anEvent(), 'A.run', lease);
      await harness.advance(LEASE_MS * 0.75);
      expect((await take(store)).runs).toEqual([]);

      await harness.advance(LEASE_MS);

      const again = await takeOne(store);
      expect(again.run).toMatchObject({ eventId: idAt(10), attempt: 2 });
      await end(store, again);
      expect((await takeOne(store)).run?.eventId).toBe(idAt(20));
    });

    ordered('go on when the lease has ended, if nobody says that a turn has ended', async (store) => {
      const { idAt } = await line(store, 10, 20);
      const { run, lease } = await takeOne(store);
      await store.settle(run ?? anEvent(), DONE, lease);

      await harness.advance(LEASE_MS + 1);

      expect((await takeOne(store)).run?.eventId).toBe(idAt(20));
    });

    ordered('are not let go by an attempt that has lost its lease', async (store) => {
      const { events } = await line(store, 10, 20);
      const lost = await takeOne(store);
      await harness.advance(LEASE_MS + 1);
      await takeOne(store);

      await store.endTurn(events.get(10) ?? anEvent(), 'A.run', 'key-1', lost.lease);

      expect((await take(store)).runs).toEqual([]);
    });

    ordered('run again in their order if they are reopened', async (store) => {
      const { events, idAt } = await line(store, 10, 20);
      await end(store, await takeOne(store), { state: 'dead', error: FAILURE });
      const first = events.get(10) ?? anEvent();
      await store.reopen(first);
      await store.enqueue(first, ['A.run'], placeAt(10));

      expect((await takeOne(store)).run?.eventId).toBe(idAt(10));
    });

    ordered('are given to one of many workers at a time', async (store) => {
      const times = Array.from({ length: 12 }, (_, index) => index);
      const keys = ['key-1', 'key-2', 'key-3'];
      const events = await Promise.all(
        times.flatMap((time) =>
          keys.map(async (key) => {
            const event = anEvent();
            await store.enqueue(event, ['A.run'], place(key, time));
            return { event, key, time };
          }),
        ),
      );
      const order: Record<string, number[]> = {};
      for (let round = 0; round < 60 && Object.values(order).flat().length < events.length; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: 4 }, async () => {
            const lease = aLease();
            return { lease, ...(await take(store, ['A.run'], lease, 2)) };
          }),
        );
        const taken = answers.flatMap(({ lease, runs }) => runs.map((run) => ({ run, lease })));
        expect(new Set(taken.map(({ run }) => run.orderKey)).size).toBe(taken.length);
        for (const one of taken) {
          const given = events.find(({ event }) => event.eventId === one.run.eventId);
          order[given?.key ?? ''] = [...(order[given?.key ?? ''] ?? []), given?.time ?? -1];
          await end(store, one);
        }
      }

      expect(keys.map((key) => order[key])).toEqual(keys.map(() => times));
    });
  });
}

/** A store that keeps the order of runs. */
type TurnStore = InboxWorkStore & Required<Pick<InboxWorkStore, 'endTurn'>>;
