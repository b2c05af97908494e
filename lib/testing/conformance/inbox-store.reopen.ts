import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';

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
