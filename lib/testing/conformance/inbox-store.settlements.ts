import type { ConformanceRunner } from './inbox-store.harness.js';
import { aLease, anEvent, FAILURE, type InboxBench, LEASE_MS } from './inbox-store.harness.js';

/** How runs end. */
export function describeSettlements(bench: InboxBench, { describe, it, expect }: ConformanceRunner): void {
  describe('settle', () => {
    it('records how each run ended, and tells which it wrote', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease, ['A.run', 'B.run', 'C.run', 'D.run']);

      const written = await bench.store.settle(
        event,
        [
          { handlerId: 'A.run', state: 'done' },
          { handlerId: 'B.run', state: 'failed', error: FAILURE },
          { handlerId: 'C.run', state: 'dead', error: FAILURE },
          { handlerId: 'D.run', state: 'queued' },
        ],
        lease,
      );

      expect([...written].sort()).toEqual(['A.run', 'B.run', 'C.run', 'D.run']);
      const { runs } = await bench.entryOf(event);
      expect([...runs].sort((a, b) => a.handlerId.localeCompare(b.handlerId))).toEqual([
        { handlerId: 'A.run', state: 'done', attempts: 1, updatedAt: expect.any(Date) },
        { handlerId: 'B.run', state: 'failed', attempts: 1, updatedAt: expect.any(Date), error: FAILURE },
        { handlerId: 'C.run', state: 'dead', attempts: 1, updatedAt: expect.any(Date), error: FAILURE },
        { handlerId: 'D.run', state: 'queued', attempts: 0, updatedAt: expect.any(Date) },
      ]);
    });

    it('leaves the runs alone that have not ended', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease, ['A.run', 'B.run']);

      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      expect(await bench.claim(event, aLease(), ['A.run', 'B.run'])).toMatchObject({
        'A.run': { state: 'done' },
        'B.run': { state: 'running' },
      });
    });

    it('writes under one lease as often as runs end', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease, ['A.run', 'B.run']);

      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      expect(await bench.store.settle(event, [{ handlerId: 'B.run', state: 'done' }], lease)).toEqual([
        'B.run',
      ]);
    });

    it('writes nothing for a run that is settled already', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);
      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      const again = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      expect(await bench.store.settle(event, again, lease)).toEqual([]);
      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'done' } });
    });

    it('writes nothing for an event or a handler that it does not know', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);

      expect(await bench.store.settle(anEvent(), [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual([]);
      expect(await bench.store.settle(event, [{ handlerId: 'B.run', state: 'done' }], lease)).toEqual([]);
    });

    it('moves the time of the row on', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);
      const [started] = (await bench.entryOf(event)).runs;
      await bench.advance(1000);

      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      const [ended] = (await bench.entryOf(event)).runs;
      expect(ended?.updatedAt.getTime()).toBeGreaterThan(started?.updatedAt.getTime() ?? Infinity);
    });

    it('forgets an error that a later run made good', async () => {
      const event = anEvent();
      await bench.record(event, 'failed');

      await bench.record(event, 'done');

      expect((await bench.entryOf(event)).runs).toEqual([
        { handlerId: 'A.run', state: 'done', attempts: 2, updatedAt: expect.any(Date) },
      ]);
    });

    it('keeps an error as it is given, whatever characters are in it', async () => {
      const event = anEvent();
      const lease = aLease();
      const error = { name: "O'Error", message: `"quoted"\n\u0000 ünïcödé 🦊 ${'x'.repeat(460)}` };
      await bench.claim(event, lease);

      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'failed', error }], lease);

      expect((await bench.entryOf(event)).runs).toMatchObject([{ error }]);
    });
  });

  describe('runs in a queue', () => {
    it('have not begun', async () => {
      const event = anEvent();
      await bench.record(event, 'queued');

      expect((await bench.entryOf(event)).runs).toMatchObject([{ state: 'queued', attempts: 0 }]);
    });

    it('are given to the worker that takes them over, as the first attempt', async () => {
      const event = anEvent();
      const delivery = aLease();
      await bench.claim(event, delivery);
      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'queued' }], delivery);
      const worker = aLease({ takesOver: delivery.token });

      expect(await bench.claim(event, worker)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await bench.store.settle(event, done, worker)).toEqual(['A.run']);
    });

    it('are given to a worker that is quicker than the delivery that queues them', async () => {
      const event = anEvent();
      const delivery = aLease();
      await bench.claim(event, delivery);
      const worker = aLease({ takesOver: delivery.token });

      expect(await bench.claim(event, worker)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      const queued = [{ handlerId: 'A.run', state: 'queued' as const }];
      expect(await bench.store.settle(event, queued, delivery)).toEqual([]);
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await bench.store.settle(event, done, worker)).toEqual(['A.run']);
    });

    it('are given to one of 50 workers at once', async () => {
      const event = anEvent();
      const delivery = aLease();
      await bench.claim(event, delivery);
      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'queued' }], delivery);

      const answers = await Promise.all(
        Array.from({ length: 50 }, () => bench.claim(event, aLease({ takesOver: delivery.token }))),
      );

      expect(answers.filter((answer) => answer['A.run']?.state === 'claimed')).toHaveLength(1);
    });

    it('are not taken from another than the lease that queued them', async () => {
      const event = anEvent();
      await bench.claim(event);

      expect(await bench.claim(event, aLease({ takesOver: 'another' }))).toMatchObject({
        'A.run': { state: 'running' },
      });
    });

    it('keep their count of attempts when they are queued again after a failure', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);
      const again = [{ handlerId: 'A.run', state: 'queued' as const, error: FAILURE }];
      await bench.store.settle(event, again, lease);

      expect((await bench.entryOf(event)).runs).toMatchObject([
        { state: 'queued', attempts: 1, error: FAILURE },
      ]);
      expect(await bench.claim(event, aLease({ takesOver: lease.token }))).toEqual({
        'A.run': { state: 'claimed', attempt: 2 },
      });
    });
  });

  describe('reopen', () => {
    it('lets a dead handler run once more, as the next attempt', async () => {
      const event = anEvent();
      await bench.record(event, 'dead');

      expect(await bench.store.reopen(event)).toEqual(['A.run']);
      expect((await bench.entryOf(event)).runs).toMatchObject([{ state: 'failed', attempts: 1 }]);
      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('leaves a handler alone that is done, unless it is asked for', async () => {
      const event = anEvent();
      await bench.record(event, 'done');

      expect(await bench.store.reopen(event)).toEqual([]);
      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'done' } });
      expect(await bench.store.reopen(event, ['A.run'])).toEqual(['A.run']);
      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('leaves a run in progress alone, though it is asked for', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);

      expect(await bench.store.reopen(event, ['A.run'])).toEqual([]);
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await bench.store.settle(event, done, lease)).toEqual(['A.run']);
    });

    it('does not let a run write that was reopened after its lease had ended', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);
      await bench.advance(LEASE_MS + 1);

      expect(await bench.store.reopen(event, ['A.run'])).toEqual(['A.run']);
      expect(await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual([]);
    });

    it('reopens the handlers that are asked for, and no others', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease, ['A.run', 'B.run']);
      const dead = ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'dead' as const }));
      await bench.store.settle(event, dead, lease);

      expect(await bench.store.reopen(event, ['B.run', 'Unknown.run'])).toEqual(['B.run']);
      expect(await bench.claim(event, aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'dead' },
        'B.run': { state: 'claimed', attempt: 2 },
      });
    });

    it('finds nothing to reopen of an event that it does not know', async () => {
      expect(await bench.store.reopen(anEvent())).toEqual([]);
      expect(await bench.store.reopen(anEvent(), ['A.run'])).toEqual([]);
    });
  });
}
