import { describe, expect, it } from '@jest/globals';
import { PostgresInboxStore } from '../../../lib/postgres/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';

const HANDLERS = ['A.run', 'B.run', 'C.run', 'D.run', 'E.run'];

await describeWithService('postgres', 'Concurrent calls of PostgresInboxStore', () => {
  const postgres = PostgresFixture.use(30);

  /** Some of the handlers, in an order that depends on the number. */
  function someHandlers(number: number): string[] {
    const rotated = [...HANDLERS.slice(number % 5), ...HANDLERS.slice(0, number % 5)];
    return (number % 2 === 0 ? rotated : rotated.reverse()).slice(0, 2 + (number % 4));
  }

  it('never deadlock, whatever handlers they name and in whatever order', async () => {
    const events = Array.from({ length: 3 }, () => anEvent());
    const work = Array.from({ length: 600 }, async (_, number) => {
      const event = events[number % events.length] ?? anEvent();
      const lease = aLease({ durationMs: number % 3 === 0 ? -1 : 60_000 });
      const claims = await postgres.store.claim(event, someHandlers(number), lease);
      const claimed = [...claims].filter(([, { state }]) => state === 'claimed').map(([id]) => id);
      if (number % 7 === 0) await postgres.store.reopen(event);
      const ended = claimed
        .reverse()
        .map((handlerId) => ({ handlerId, state: 'failed' as const, error: FAILURE }));
      await postgres.store.settle(event, ended, lease);
      if (number % 50 === 0) await postgres.store.prune(new Date('2999-01-01'));
    });

    const failures = (await Promise.allSettled(work)).filter(({ status }) => status === 'rejected');

    expect(failures).toEqual([]);
  }, 30_000);

  it('record an event again that is deleted while it is claimed', async () => {
    const event = anEvent();
    await postgres.store.claim(event, [], aLease());
    const transaction = await postgres.begin();
    await postgres.storeIn(transaction).prune(new Date('2999-01-01'));

    const claiming = postgres.store.claim(event, ['A.run'], aLease());
    await postgres.untilBlocked();
    await postgres.commit(transaction);

    expect(Object.fromEntries(await claiming)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
  });

  it('give each handler to one store', async () => {
    const event = anEvent();
    const stores = Array.from(
      { length: 20 },
      () => new PostgresInboxStore({ client: postgres.pool, application: 'test', schema: postgres.schema }),
    );

    const answers = await Promise.all(
      stores.map((store, number) => store.claim(event, someHandlers(number), aLease())),
    );

    const claimed = answers.flatMap((claims) =>
      [...claims].filter(([, { state }]) => state === 'claimed').map(([handlerId]) => handlerId),
    );
    expect(claimed.sort()).toEqual(HANDLERS);
  });

  it('take nothing of an order key, and do not wait, while its first run is being completed', async () => {
    const [first, second] = [anEvent(), anEvent()];
    for (const [occurredAt, event] of [first, second].entries()) {
      await postgres.store.enqueue(event, ['A.run'], new Map([['A.run', { key: 'key-1', occurredAt }]]));
    }
    const take = (lease = aLease()) =>
      postgres.store.takeDue({ endpoint: 'default', handlerIds: ['A.run'], limit: 5, lease });
    const ended = aLease({ durationMs: -1 });
    expect((await take(ended)).runs).toMatchObject([{ eventId: first.eventId }]);
    const transaction = await postgres.begin();
    await postgres.store.complete(transaction, first, 'A.run', ended);

    expect((await take()).runs).toEqual([]);

    await postgres.commit(transaction);
    expect((await take()).runs).toMatchObject([{ eventId: second.eventId }]);
  });

  it('never deadlock while runs with a place are handed over and taken', async () => {
    const handlerIds = ['A.run', 'B.run'];
    const work = Array.from({ length: 150 }, async (_, number) => {
      const places = new Map(handlerIds.map((id) => [id, { key: `key-${number % 3}`, occurredAt: number }]));
      const event = anEvent({ eventId: `evt_${number % 40}` });
      await postgres.store.enqueue(event, number % 2 === 0 ? handlerIds : [...handlerIds].reverse(), places);
      const lease = aLease({ durationMs: number % 5 === 0 ? -1 : 60_000 });
      const { runs } = await postgres.store.takeDue({ endpoint: 'default', handlerIds, limit: 4, lease });
      for (const run of runs) {
        await postgres.store.settle(run, [{ handlerId: run.handlerId, state: 'failed' }], lease);
        await postgres.store.endTurn(run, run.handlerId, run.orderKey ?? '', lease);
      }
      if (number % 10 === 0) await postgres.store.dismiss(event);
    });

    const failures = (await Promise.allSettled(work)).filter(({ status }) => status === 'rejected');

    expect(failures).toEqual([]);
  }, 30_000);

  describe('a claim during the transaction of another', () => {
    it('waits, and finds the run running', async () => {
      const event = anEvent();
      const transaction = await postgres.begin();
      await postgres.storeIn(transaction).claim(event, ['A.run'], aLease());

      const claims = postgres.store.claim(event, ['A.run', 'B.run'], aLease());
      await postgres.untilBlocked();
      await postgres.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({
        'A.run': { state: 'running', leaseEndsInMs: expect.any(Number) },
        'B.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('waits, and finds the run done', async () => {
      const event = anEvent();
      const transaction = await postgres.begin();
      const lease = aLease();
      await postgres.storeIn(transaction).claim(event, ['A.run'], lease);
      await postgres.storeIn(transaction).settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      const claims = postgres.store.claim(event, ['A.run'], aLease());
      await postgres.untilBlocked();
      await postgres.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'done' } });
    });

    it('waits, and claims the run if the other is rolled back', async () => {
      const event = anEvent();
      const transaction = await postgres.begin();
      await postgres.storeIn(transaction).claim(event, ['A.run'], aLease());

      const claims = postgres.store.claim(event, ['A.run'], aLease());
      await postgres.untilBlocked();
      await postgres.rollback(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      expect(await postgres.store.get(event)).toBeDefined();
    });

    it('waits, and claims a run that failed in between', async () => {
      const event = anEvent();
      const lease = aLease();
      await postgres.store.claim(event, ['A.run'], lease);
      const transaction = await postgres.begin();
      const failed = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      await postgres.storeIn(transaction).settle(event, failed, lease);

      const claims = postgres.store.claim(event, ['A.run'], aLease());
      await postgres.untilBlocked();
      await postgres.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('waits, and claims a run that was reopened in between', async () => {
      const event = anEvent();
      const lease = aLease();
      await postgres.store.claim(event, ['A.run'], lease);
      await postgres.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
      const transaction = await postgres.begin();
      await postgres.storeIn(transaction).reopen(event, ['A.run']);

      const claims = postgres.store.claim(event, ['A.run'], aLease());
      await postgres.untilBlocked();
      await postgres.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('waits, and finds a failed run running again', async () => {
      const event = anEvent();
      const first = aLease();
      await postgres.store.claim(event, ['A.run'], first);
      await postgres.store.settle(event, [{ handlerId: 'A.run', state: 'failed', error: FAILURE }], first);
      const transaction = await postgres.begin();
      await postgres.storeIn(transaction).claim(event, ['A.run'], aLease());

      const claims = postgres.store.claim(event, ['A.run'], aLease());
      await postgres.untilBlocked();
      await postgres.commit(transaction);

      expect((await claims).get('A.run')).toMatchObject({ state: 'running' });
    });
  });

  it('keep an event that is claimed while it is pruned', async () => {
    const lease = aLease();
    const known = anEvent();
    await postgres.store.claim(known, ['A.run', 'B.run'], lease);
    const ends = ['A.run', 'B.run'].map((handlerId) => ({
      handlerId,
      state: 'failed' as const,
      error: FAILURE,
    }));
    await postgres.store.settle(known, ends, lease);
    const transaction = await postgres.begin();
    await postgres.storeIn(transaction).claim(known, ['B.run'], aLease());

    const forgotten = postgres.store.prune(new Date('2999-01-01'));
    await postgres.untilBlocked();
    await postgres.commit(transaction);

    expect(await forgotten).toBe(0);
    expect((await postgres.store.get(known))?.runs).toMatchObject([
      { state: 'failed' },
      { state: 'running' },
    ]);
  });
});
