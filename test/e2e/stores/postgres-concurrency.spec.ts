import { describe, expect, it } from '@jest/globals';
import { PostgresInboxStore } from '../../../lib/postgres/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { PostgresLedger } from '../../helpers/postgres-ledger.js';
import { describeWithService } from '../../helpers/services.js';

const HANDLERS = ['A.run', 'B.run', 'C.run', 'D.run', 'E.run'];

await describeWithService('postgres', 'Many at once on Postgres', () => {
  const ledger = PostgresLedger.use(30);

  /** Some of the handlers, in an order that differs from call to call. */
  function someHandlers(number: number): string[] {
    const rotated = [...HANDLERS.slice(number % 5), ...HANDLERS.slice(0, number % 5)];
    return (number % 2 === 0 ? rotated : rotated.reverse()).slice(0, 2 + (number % 4));
  }

  it('never deadlock, whatever handlers they take in whatever order', async () => {
    const events = Array.from({ length: 3 }, () => anEvent());
    const work = Array.from({ length: 600 }, async (_, number) => {
      const event = events[number % events.length] ?? anEvent();
      const lease = aLease({ durationMs: number % 3 === 0 ? -1 : 60_000 });
      const claims = await ledger.store.claim(event, someHandlers(number), lease);
      const claimed = [...claims].filter(([, { state }]) => state === 'claimed').map(([id]) => id);
      if (number % 7 === 0) await ledger.store.reopen(event);
      const ended = claimed
        .reverse()
        .map((handlerId) => ({ handlerId, state: 'failed' as const, error: FAILURE }));
      await ledger.store.settle(event, ended, lease);
      if (number % 50 === 0) await ledger.store.prune(new Date('2999-01-01'));
    });

    const failures = (await Promise.allSettled(work)).filter(({ status }) => status === 'rejected');

    expect(failures).toEqual([]);
  }, 30_000);

  it('give a handler to one of many stores', async () => {
    const event = anEvent();
    const stores = Array.from(
      { length: 20 },
      () => new PostgresInboxStore({ client: ledger.pool, schema: ledger.schema }),
    );

    const answers = await Promise.all(
      stores.map((store, number) => store.claim(event, someHandlers(number), aLease())),
    );

    const claimed = answers.flatMap((claims) =>
      [...claims].filter(([, { state }]) => state === 'claimed').map(([handlerId]) => handlerId),
    );
    expect(claimed.sort()).toEqual(HANDLERS);
  });

  describe('a claim that meets another before that has committed', () => {
    it('waits, and finds it running', async () => {
      const event = anEvent();
      const transaction = await ledger.begin();
      await ledger.storeIn(transaction).claim(event, ['A.run'], aLease());

      const claims = ledger.store.claim(event, ['A.run', 'B.run'], aLease());
      await ledger.untilBlocked();
      await ledger.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({
        'A.run': { state: 'running', leaseEndsInMs: expect.any(Number) },
        'B.run': { state: 'claimed', attempt: 1 },
      });
    });

    it('waits, and finds it done', async () => {
      const event = anEvent();
      const transaction = await ledger.begin();
      const lease = aLease();
      await ledger.storeIn(transaction).claim(event, ['A.run'], lease);
      await ledger.storeIn(transaction).settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);

      const claims = ledger.store.claim(event, ['A.run'], aLease());
      await ledger.untilBlocked();
      await ledger.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'done' } });
    });

    it('waits, and claims what was rolled back', async () => {
      const event = anEvent();
      const transaction = await ledger.begin();
      await ledger.storeIn(transaction).claim(event, ['A.run'], aLease());

      const claims = ledger.store.claim(event, ['A.run'], aLease());
      await ledger.untilBlocked();
      await ledger.rollback(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
      expect(await ledger.store.get(event)).toBeDefined();
    });

    it('waits, and claims what has failed meanwhile', async () => {
      const event = anEvent();
      const lease = aLease();
      await ledger.store.claim(event, ['A.run'], lease);
      const transaction = await ledger.begin();
      const failed = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];
      await ledger.storeIn(transaction).settle(event, failed, lease);

      const claims = ledger.store.claim(event, ['A.run'], aLease());
      await ledger.untilBlocked();
      await ledger.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('waits, and claims what was reopened meanwhile', async () => {
      const event = anEvent();
      const lease = aLease();
      await ledger.store.claim(event, ['A.run'], lease);
      await ledger.store.settle(event, [{ handlerId: 'A.run', state: 'done' }], lease);
      const transaction = await ledger.begin();
      await ledger.storeIn(transaction).reopen(event, ['A.run']);

      const claims = ledger.store.claim(event, ['A.run'], aLease());
      await ledger.untilBlocked();
      await ledger.commit(transaction);

      expect(Object.fromEntries(await claims)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('waits, and finds a failed handler running again', async () => {
      const event = anEvent();
      const first = aLease();
      await ledger.store.claim(event, ['A.run'], first);
      await ledger.store.settle(event, [{ handlerId: 'A.run', state: 'failed', error: FAILURE }], first);
      const transaction = await ledger.begin();
      await ledger.storeIn(transaction).claim(event, ['A.run'], aLease());

      const claims = ledger.store.claim(event, ['A.run'], aLease());
      await ledger.untilBlocked();
      await ledger.commit(transaction);

      expect((await claims).get('A.run')).toMatchObject({ state: 'running' });
    });
  });

  it('keep an event from being forgotten that is claimed meanwhile', async () => {
    const lease = aLease();
    const known = anEvent();
    await ledger.store.claim(known, ['A.run', 'B.run'], lease);
    const ends = ['A.run', 'B.run'].map((handlerId) => ({
      handlerId,
      state: 'failed' as const,
      error: FAILURE,
    }));
    await ledger.store.settle(known, ends, lease);
    const transaction = await ledger.begin();
    await ledger.storeIn(transaction).claim(known, ['B.run'], aLease());

    const forgotten = ledger.store.prune(new Date('2999-01-01'));
    await ledger.untilBlocked();
    await ledger.commit(transaction);

    expect(await forgotten).toBe(0);
    expect((await ledger.store.get(known))?.runs).toMatchObject([{ state: 'failed' }, { state: 'running' }]);
  });
});
