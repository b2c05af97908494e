import type { ConformanceRunner } from './inbox-store.harness.js';
import { aLease, anEvent, FAILURE, type InboxBench, LEASE_MS } from './inbox-store.harness.js';

/** Who gets a run, and for how long. */
export function describeClaims(bench: InboxBench, { describe, it, expect }: ConformanceRunner): void {
  describe('claim', () => {
    it('records an event that is new', async () => {
      const event = anEvent();

      await bench.claim(event);

      expect(await bench.store.get(event)).toMatchObject({
        endpoint: event.endpoint,
        eventId: event.eventId,
        type: event.type,
        occurredAt: event.occurredAt,
        receivedAt: expect.any(Date),
        runs: [{ handlerId: 'A.run', state: 'running', attempts: 1, updatedAt: expect.any(Date) }],
      });
    });

    it('gives every handler of a new event to the claimer as its first attempt', async () => {
      expect(await bench.claim(anEvent(), aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'claimed', attempt: 1 },
        'B.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('records an event that has no handler to claim', async () => {
      const event = anEvent();

      expect(await bench.claim(event, aLease(), [])).toEqual({});
      expect((await bench.entryOf(event)).runs).toEqual([]);
    });

    it('tells a second claimer that the handler is running, and for how long at most', async () => {
      const event = anEvent();
      await bench.claim(event);

      const { 'A.run': second } = await bench.claim(event);

      expect(second).toEqual({ state: 'running', leaseEndsInMs: expect.any(Number) });
      const leaseEndsInMs = second?.state === 'running' ? second.leaseEndsInMs : 0;
      expect(leaseEndsInMs).toBeGreaterThan(0);
      expect(leaseEndsInMs).toBeLessThanOrEqual(LEASE_MS);
    });

    for (const state of ['done', 'dead', 'queued'] as const) {
      it(`does not give out a handler that is ${state}`, async () => {
        const event = anEvent();
        await bench.record(event, state);

        expect(await bench.claim(event)).toEqual({ 'A.run': { state } });
        expect((await bench.entryOf(event)).runs).toMatchObject([{ state }]);
      });

      it(`does not give out a handler that is ${state} after the lease either`, async () => {
        const event = anEvent();
        await bench.record(event, state);
        await bench.advance(LEASE_MS + 1);

        expect(await bench.claim(event)).toEqual({ 'A.run': { state } });
      });
    }

    it('gives out a failed handler again, as the next attempt', async () => {
      const event = anEvent();
      await bench.record(event, 'failed');
      const second = aLease();

      expect(await bench.claim(event, second)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'failed', error: FAILURE }], second);
      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 3 } });
    });

    it('gives out the failed handler alone where its siblings succeeded', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease, ['A.run', 'B.run']);
      await bench.store.settle(
        event,
        [
          { handlerId: 'A.run', state: 'done' },
          { handlerId: 'B.run', state: 'failed', error: FAILURE },
        ],
        lease,
      );

      expect(await bench.claim(event, aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'done' },
        'B.run': { state: 'claimed', attempt: 2 },
      });
    });

    it('gives out a handler that is new to a known event', async () => {
      const event = anEvent();
      await bench.record(event, 'done');

      expect(await bench.claim(event, aLease(), ['A.run', 'New.run'])).toEqual({
        'A.run': { state: 'done' },
        'New.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('leaves handlers alone that are not asked for', async () => {
      const event = anEvent();
      await bench.record(event, 'failed');
      await bench.claim(event, aLease(), ['B.run']);

      const { runs } = await bench.entryOf(event);
      expect(runs.find(({ handlerId }) => handlerId === 'A.run')?.state).toBe('failed');
    });

    it('keeps when and as what an event was first received', async () => {
      const event = anEvent();
      await bench.claim(event);
      await bench.advance(1000);
      const { receivedAt } = await bench.entryOf(event);

      await bench.claim(event);

      expect((await bench.entryOf(event)).receivedAt).toEqual(receivedAt);
    });

    it('gives each handler to one of 50 claimers at once', async () => {
      const event = anEvent();
      const handlerIds = ['A.run', 'B.run', 'C.run'];

      const answers = await Promise.all(
        Array.from({ length: 50 }, () => bench.claim(event, aLease(), handlerIds)),
      );

      for (const handlerId of handlerIds) {
        const states = answers.map((answer) => answer[handlerId]?.state);
        expect(states.filter((state) => state === 'claimed')).toHaveLength(1);
        expect(states.filter((state) => state === 'running')).toHaveLength(49);
      }
    });

    it('takes an event of 1 MB', async () => {
      const event = anEvent({ payload: Buffer.alloc(1024 * 1024, 'x') });

      await bench.record(event, 'done');

      expect((await bench.entryOf(event)).runs).toMatchObject([{ state: 'done' }]);
    });
  });

  describe('leases', () => {
    it('hold until their end', async () => {
      const event = anEvent();
      await bench.claim(event);
      await bench.advance(LEASE_MS / 2);

      expect(await bench.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
    });

    it('let another claimer take over when they have run out', async () => {
      const event = anEvent();
      await bench.claim(event);
      await bench.advance(LEASE_MS + 1);

      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
      expect(await bench.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
    });

    it('are as long as each claim asks for', async () => {
      const event = anEvent();
      await bench.claim(event, aLease({ durationMs: LEASE_MS * 3 }));
      await bench.advance(LEASE_MS + 1);

      expect(await bench.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
    });

    it('give an expired handler to one of 50 claimers at once', async () => {
      const event = anEvent();
      await bench.claim(event);
      await bench.advance(LEASE_MS + 1);

      const answers = await Promise.all(Array.from({ length: 50 }, () => bench.claim(event)));

      expect(answers.filter((answer) => answer['A.run']?.state === 'claimed')).toHaveLength(1);
    });

    it('keep a run from writing its result once another has taken over', async () => {
      const event = anEvent();
      const [lost, taken] = [aLease(), aLease()];
      await bench.claim(event, lost);
      await bench.advance(LEASE_MS + 1);
      await bench.claim(event, taken);

      expect(await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lost)).toEqual([]);
      expect((await bench.entryOf(event)).runs).toMatchObject([{ state: 'running', attempts: 2 }]);
      expect(await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], taken)).toEqual([
        'A.run',
      ]);
    });

    it('keep a run from overwriting the result of the one that took over', async () => {
      const event = anEvent();
      const [lost, taken] = [aLease(), aLease()];
      await bench.claim(event, lost);
      await bench.advance(LEASE_MS + 1);
      await bench.claim(event, taken);
      await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], taken);

      const late = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      expect(await bench.store.settle(event, late, lost)).toEqual([]);
      expect((await bench.entryOf(event)).runs).toMatchObject([{ state: 'done' }]);
    });

    it('let a late run write its result as long as nobody has taken over', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease);
      await bench.advance(LEASE_MS + 1);

      expect(await bench.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual([
        'A.run',
      ]);
      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'done' } });
    });
  });
}
