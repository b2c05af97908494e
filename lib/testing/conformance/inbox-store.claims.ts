import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';

/** Which runs a claim gets, and for how long. */
export function describeClaims(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  describe('claim', () => {
    it('records a new event', async () => {
      const event = anEvent();

      await harness.claim(event);

      expect(await harness.store.get(event)).toMatchObject({
        endpoint: event.endpoint,
        eventId: event.eventId,
        type: event.type,
        occurredAt: event.occurredAt,
        receivedAt: expect.any(Date),
        runs: [{ handlerId: 'A.run', state: 'running', attempts: 1, updatedAt: expect.any(Date) }],
      });
    });

    it('gives the claimer every run of a new event, as its first attempt', async () => {
      expect(await harness.claim(anEvent(), aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'claimed', attempt: 1 },
        'B.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('records an event without handlers', async () => {
      const event = anEvent();

      expect(await harness.claim(event, aLease(), [])).toEqual({});
      expect((await harness.entryOf(event)).runs).toEqual([]);
    });

    it('tells a second claimer that the run is in progress, and when its lease ends', async () => {
      const event = anEvent();
      await harness.claim(event);

      const { 'A.run': second } = await harness.claim(event);

      expect(second).toEqual({ state: 'running', leaseEndsInMs: expect.any(Number) });
      const leaseEndsInMs = second?.state === 'running' ? second.leaseEndsInMs : 0;
      expect(leaseEndsInMs).toBeGreaterThan(0);
      expect(leaseEndsInMs).toBeLessThanOrEqual(LEASE_MS);
    });

    for (const state of ['done', 'dead', 'queued'] as const) {
      it(`does not give the claimer a ${state} run`, async () => {
        const event = anEvent();
        await harness.record(event, state);

        expect(await harness.claim(event)).toEqual({ 'A.run': { state } });
        expect((await harness.entryOf(event)).runs).toMatchObject([{ state }]);
      });

      it(`does not give the claimer a ${state} run after the lease has ended`, async () => {
        const event = anEvent();
        await harness.record(event, state);
        await harness.advance(LEASE_MS + 1);

        expect(await harness.claim(event)).toEqual({ 'A.run': { state } });
      });
    }

    it('gives the claimer a failed run, as the next attempt', async () => {
      const event = anEvent();
      await harness.record(event, 'failed');
      const second = aLease();

      expect(await harness.claim(event, second)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'failed', error: FAILURE }], second);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 3 } });
    });

    it('gives the claimer only the failed run of an event whose other runs are done', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      await harness.store.settle(
        event,
        [
          { handlerId: 'A.run', state: 'done' },
          { handlerId: 'B.run', state: 'failed', error: FAILURE },
        ],
        lease,
      );

      expect(await harness.claim(event, aLease(), ['A.run', 'B.run'])).toEqual({
        'A.run': { state: 'done' },
        'B.run': { state: 'claimed', attempt: 2 },
      });
    });

    it('gives the claimer the run of a handler that is new for a known event', async () => {
      const event = anEvent();
      await harness.record(event, 'done');

      expect(await harness.claim(event, aLease(), ['A.run', 'New.run'])).toEqual({
        'A.run': { state: 'done' },
        'New.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('leaves the runs of other handlers as they are', async () => {
      const event = anEvent();
      await harness.record(event, 'failed');
      await harness.claim(event, aLease(), ['B.run']);

      const { runs } = await harness.entryOf(event);
      expect(runs.find(({ handlerId }) => handlerId === 'A.run')?.state).toBe('failed');
    });

    it('keeps the time at which an event was first received', async () => {
      const event = anEvent();
      await harness.claim(event);
      await harness.advance(1000);
      const { receivedAt } = await harness.entryOf(event);

      await harness.claim(event);

      expect((await harness.entryOf(event)).receivedAt).toEqual(receivedAt);
    });

    it('gives the same result when it is repeated under the same lease', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.record(event, 'failed');
      const first = await harness.claim(event, lease, ['A.run', 'B.run']);
      await harness.advance(LEASE_MS / 2);

      expect(await harness.claim(event, lease, ['A.run', 'B.run'])).toEqual(first);
      expect(await harness.claim(event, lease, ['B.run'])).toEqual({
        'B.run': { state: 'claimed', attempt: 1 },
      });
      const done = ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'done' as const }));
      expect([...(await harness.store.settle(event, done, lease))].sort()).toEqual(['A.run', 'B.run']);
      expect((await harness.entryOf(event)).runs.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
    });

    it('gives the same result to repetitions that arrive at the same time', async () => {
      const event = anEvent();
      const lease = aLease();

      const answers = await Promise.all(Array.from({ length: 20 }, () => harness.claim(event, lease)));

      expect(answers).toEqual(answers.map(() => ({ 'A.run': { state: 'claimed', attempt: 1 } })));
    });

    it('keeps a run from others for the whole lease when it is repeated', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      await harness.claim(event, lease);

      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
      await harness.advance(LEASE_MS + 1);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('does not get a run back that was settled, or that another claimer has taken over', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
      await harness.advance(LEASE_MS + 1);
      await harness.claim(event, aLease(), ['B.run']);

      expect(await harness.claim(event, lease, ['A.run', 'B.run'])).toMatchObject({
        'A.run': { state: 'done' },
        'B.run': { state: 'running' },
      });
    });

    it('gives each run to exactly one of 50 concurrent claimers', async () => {
      const event = anEvent();
      const handlerIds = ['A.run', 'B.run', 'C.run'];

      const answers = await Promise.all(
        Array.from({ length: 50 }, () => harness.claim(event, aLease(), handlerIds)),
      );

      for (const handlerId of handlerIds) {
        const states = answers.map((answer) => answer[handlerId]?.state);
        expect(states.filter((state) => state === 'claimed')).toHaveLength(1);
        expect(states.filter((state) => state === 'running')).toHaveLength(49);
      }
    });

    it('records an event of 1 MB', async () => {
      const event = anEvent({ payload: Buffer.alloc(1024 * 1024, 'x') });

      await harness.record(event, 'done');

      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done' }]);
    });
  });

  describe('leases', () => {
    it('hold until they end', async () => {
      const event = anEvent();
      await harness.claim(event);
      await harness.advance(LEASE_MS / 2);

      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
    });

    it('let another claimer take over once they have ended', async () => {
      const event = anEvent();
      await harness.claim(event);
      await harness.advance(LEASE_MS + 1);

      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
    });

    it('last as long as the claim asks for', async () => {
      const event = anEvent();
      await harness.claim(event, aLease({ durationMs: LEASE_MS * 3 }));
      await harness.advance(LEASE_MS + 1);

      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
    });

    it('let exactly one of 50 concurrent claimers take over once they have ended', async () => {
      const event = anEvent();
      await harness.claim(event);
      await harness.advance(LEASE_MS + 1);

      const answers = await Promise.all(Array.from({ length: 50 }, () => harness.claim(event)));

      expect(answers.filter((answer) => answer['A.run']?.state === 'claimed')).toHaveLength(1);
    });

    it('keep an attempt from settling a run that another claimer has taken over', async () => {
      const event = anEvent();
      const [lost, taken] = [aLease(), aLease()];
      await harness.claim(event, lost);
      await harness.advance(LEASE_MS + 1);
      await harness.claim(event, taken);

      expect(await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lost)).toEqual([]);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'running', attempts: 2 }]);
      expect(await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], taken)).toEqual([
        'A.run',
      ]);
    });

    it('keep an attempt from overwriting the result of the claimer that took over', async () => {
      const event = anEvent();
      const [lost, taken] = [aLease(), aLease()];
      await harness.claim(event, lost);
      await harness.advance(LEASE_MS + 1);
      await harness.claim(event, taken);
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], taken);

      const late = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      expect(await harness.store.settle(event, late, lost)).toEqual([]);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done' }]);
    });

    it('let a late attempt settle its run if no other claimer has taken over', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      await harness.advance(LEASE_MS + 1);

      expect(await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual([
        'A.run',
      ]);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'done' } });
    });
  });
}
