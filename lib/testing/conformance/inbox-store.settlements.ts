import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
} from './inbox-store.harness.js';

/** How attempts end, and how runs are queued. */
export function describeSettlements(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  describe('settle', () => {
    it('records how each attempt ended, and returns the runs that it wrote', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run', 'C.run', 'D.run']);

      const written = await harness.store.settle(
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
      const { runs } = await harness.entryOf(event);
      expect([...runs].sort((a, b) => a.handlerId.localeCompare(b.handlerId))).toEqual([
        { handlerId: 'A.run', state: 'done', attempts: 1, updatedAt: expect.any(Date) },
        { handlerId: 'B.run', state: 'failed', attempts: 1, updatedAt: expect.any(Date), error: FAILURE },
        { handlerId: 'C.run', state: 'dead', attempts: 1, updatedAt: expect.any(Date), error: FAILURE },
        { handlerId: 'D.run', state: 'queued', attempts: 0, updatedAt: expect.any(Date) },
      ]);
    });

    it('leaves the other runs of the event in progress', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);

      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      expect(await harness.claim(event, aLease(), ['A.run', 'B.run'])).toMatchObject({
        'A.run': { state: 'done' },
        'B.run': { state: 'running' },
      });
    });

    it('can be called several times under one lease', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);

      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      expect(await harness.store.settle(event, [{ handlerId: 'B.run', state: 'done' }], lease)).toEqual([
        'B.run',
      ]);
    });

    it('writes nothing for a run that is already settled', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      const again = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      expect(await harness.store.settle(event, again, lease)).toEqual([]);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'done' } });
    });

    it('counts a settlement that is repeated under the same lease as written, and changes nothing', async () => {
      const event = anEvent();
      const lease = aLease();
      const handlerIds = ['A.run', 'B.run', 'C.run', 'D.run', 'E.run'];
      const settlements = [
        { handlerId: 'A.run', state: 'done' as const },
        { handlerId: 'B.run', state: 'failed' as const, error: FAILURE },
        { handlerId: 'C.run', state: 'dead' as const, error: FAILURE },
        { handlerId: 'D.run', state: 'queued' as const },
        { handlerId: 'E.run', state: 'queued' as const, error: FAILURE },
      ];
      await harness.claim(event, lease, handlerIds);
      await harness.store.settle(event, settlements, lease);
      const { runs } = await harness.entryOf(event);

      expect([...(await harness.store.settle(event, settlements, lease))].sort()).toEqual(handlerIds);
      for (const settlement of settlements) {
        expect(await harness.store.settle(event, [settlement], lease)).toEqual([settlement.handlerId]);
      }
      expect((await harness.entryOf(event)).runs).toEqual(runs);
    });

    it('counts settlements that are repeated at the same time as written', async () => {
      const event = anEvent();
      const lease = aLease();
      const queued = ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'queued' as const }));
      await harness.claim(event, lease, ['A.run', 'B.run', 'C.run']);
      const repeat = (settlements: typeof queued) =>
        Promise.all(Array.from({ length: 20 }, () => harness.store.settle(event, settlements, lease)));

      const one = await repeat([{ handlerId: 'C.run', state: 'queued' }]);
      const both = await repeat(queued);

      expect(one).toEqual(one.map(() => ['C.run']));
      expect(both.map((written) => [...written].sort())).toEqual(both.map(() => ['A.run', 'B.run']));
      expect((await harness.entryOf(event)).runs.map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    });

    it('writes nothing for a run that was settled under another lease', async () => {
      const event = anEvent();
      await harness.record(event, 'done');

      expect(await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], aLease())).toEqual(
        [],
      );
    });

    it('writes nothing for an unknown event or handler', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);

      expect(await harness.store.settle(anEvent(), [{ handlerId: 'A.run', state: 'done' }], lease)).toEqual(
        [],
      );
      expect(await harness.store.settle(event, [{ handlerId: 'B.run', state: 'done' }], lease)).toEqual([]);
    });

    it('updates the time of the run', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      const [started] = (await harness.entryOf(event)).runs;
      await harness.advance(1000);

      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      const [ended] = (await harness.entryOf(event)).runs;
      expect(ended?.updatedAt.getTime()).toBeGreaterThan(started?.updatedAt.getTime() ?? Infinity);
    });

    it('removes the error once a later attempt succeeds', async () => {
      const event = anEvent();
      await harness.record(event, 'failed');

      await harness.record(event, 'done');

      expect((await harness.entryOf(event)).runs).toEqual([
        { handlerId: 'A.run', state: 'done', attempts: 2, updatedAt: expect.any(Date) },
      ]);
    });

    for (const characters of [
      '"quoted"\n',
      '\u0000',
      'ünïcödé',
      '→',
      '🦊',
      '\ud800',
      '\udc00',
      '\\u0000',
      '\u001b[31m',
    ]) {
      it(`keeps an error exactly that contains ${JSON.stringify(characters)}`, async () => {
        const event = anEvent();
        const lease = aLease();
        const error = { name: `O'Error ${characters}`, message: `${characters} ${'x'.repeat(460)}` };
        await harness.claim(event, lease);

        await harness.store.settle(event, [{ handlerId: 'A.run', state: 'failed', error }], lease);

        expect((await harness.entryOf(event)).runs).toMatchObject([{ error }]);
      });
    }
  });

  describe('queued runs', () => {
    it('have no attempts yet', async () => {
      const event = anEvent();
      await harness.record(event, 'queued');

      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'queued', attempts: 0 }]);
    });

    it('go to the worker that takes them over, as the first attempt', async () => {
      const event = anEvent();
      const delivery = aLease();
      await harness.claim(event, delivery);
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'queued' }], delivery);
      const worker = aLease({ takesOver: delivery.token });

      expect(await harness.claim(event, worker)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await harness.store.settle(event, done, worker)).toEqual(['A.run']);
    });

    it('go to a worker that claims them before the delivery has settled them as queued', async () => {
      const event = anEvent();
      const delivery = aLease();
      await harness.claim(event, delivery);
      const worker = aLease({ takesOver: delivery.token });

      expect(await harness.claim(event, worker)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      const queued = [{ handlerId: 'A.run', state: 'queued' as const }];
      expect(await harness.store.settle(event, queued, delivery)).toEqual([]);
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await harness.store.settle(event, done, worker)).toEqual(['A.run']);
    });

    it('go to the same worker again when it repeats its claim', async () => {
      const event = anEvent();
      const delivery = aLease();
      await harness.claim(event, delivery, ['A.run', 'B.run']);
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'queued' }], delivery);
      const worker = aLease({ takesOver: delivery.token });
      const first = await harness.claim(event, worker, ['A.run', 'B.run']);

      expect(await harness.claim(event, worker, ['A.run', 'B.run'])).toEqual(first);
      expect(first).toEqual({
        'A.run': { state: 'claimed', attempt: 1 },
        'B.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('go to a delivery that executes them itself, as the next attempt', async () => {
      const event = anEvent();
      await harness.record(event, 'queued');
      const delivery = aLease({ takesQueued: true });

      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'queued' } });
      expect(await harness.claim(event, delivery)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      expect(await harness.claim(event, aLease({ takesQueued: true }))).toMatchObject({
        'A.run': { state: 'running' },
      });
      const done = [{ handlerId: 'A.run', state: 'done' as const }];
      expect(await harness.store.settle(event, done, delivery)).toEqual(['A.run']);
    });

    it('go to exactly one of 50 concurrent workers', async () => {
      const event = anEvent();
      const delivery = aLease();
      await harness.claim(event, delivery);
      await harness.store.settle(event, [{ handlerId: 'A.run', state: 'queued' }], delivery);

      const answers = await Promise.all(
        Array.from({ length: 50 }, () => harness.claim(event, aLease({ takesOver: delivery.token }))),
      );

      expect(answers.filter((answer) => answer['A.run']?.state === 'claimed')).toHaveLength(1);
    });

    it('cannot be taken over from a lease with another token', async () => {
      const event = anEvent();
      await harness.claim(event);

      expect(await harness.claim(event, aLease({ takesOver: 'another' }))).toMatchObject({
        'A.run': { state: 'running' },
      });
    });

    it('keep their number of attempts when they are queued again after a failure', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      const again = [{ handlerId: 'A.run', state: 'queued' as const, error: FAILURE }];
      await harness.store.settle(event, again, lease);

      expect((await harness.entryOf(event)).runs).toMatchObject([
        { state: 'queued', attempts: 1, error: FAILURE },
      ]);
      expect(await harness.claim(event, aLease({ takesOver: lease.token }))).toEqual({
        'A.run': { state: 'claimed', attempt: 2 },
      });
    });
  });
}
