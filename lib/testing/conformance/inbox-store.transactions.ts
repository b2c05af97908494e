import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';

const DONE = [{ handlerId: 'A.run', state: 'done' as const }];
const FAILED = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];

/** Records in transactions. A store without the optional methods passes. */
export function describeTransactions(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  /** Claims a run, and lets another attempt take it over. Returns the leases of both. */
  async function losingLease() {
    const event = anEvent();
    const [lost, next] = [aLease(), aLease()];
    await harness.claim(event, lost);
    await harness.advance(LEASE_MS + 1);
    await harness.claim(event, next);
    return { event, lost, next };
  }

  describe('transaction', () => {
    it('returns what the work returns, and records its run as done', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      if (!harness.store.transaction) return;

      const result = await harness.store.transaction(event, 'A.run', lease, async () => 'result');

      expect(result).toBe('result');
      expect(await harness.claim(event, aLease(), ['A.run', 'B.run'])).toMatchObject({
        'A.run': { state: 'done' },
        'B.run': { state: 'running' },
      });
      expect(await harness.store.settle(event, DONE, lease)).toEqual(['A.run']);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done', attempts: 1 }, {}]);
    });

    it('rejects with the error of the work, and records nothing', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      if (!harness.store.transaction) return;
      const failure = new Error('broken');

      const transaction = harness.store.transaction(event, 'A.run', lease, () => Promise.reject(failure));

      expect(await rejectionOf(transaction)).toBe(failure);
      expect(await harness.claim(event)).toMatchObject({ 'A.run': { state: 'running' } });
      expect(await harness.store.settle(event, FAILED, lease)).toEqual(['A.run']);
      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
    });

    it('rejects if another attempt has taken over', async () => {
      const { event, lost, next } = await losingLease();
      if (!harness.store.transaction) return;

      const transaction = harness.store.transaction(event, 'A.run', lost, async () => {});

      expect(await rejectionOf(transaction)).toMatchObject({ code: 'lease_lost' });
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'running' }]);
      expect(await harness.store.settle(event, DONE, next)).toEqual(['A.run']);
    });

    it('rejects if the handler was never claimed', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      if (!harness.store.transaction) return;

      const transaction = harness.store.transaction(event, 'B.run', lease, async () => {});

      expect(await rejectionOf(transaction)).toMatchObject({ code: 'lease_lost' });
    });

    it('records runs that end at the same time', async () => {
      const lease = aLease();
      const events = Array.from({ length: 5 }, () => anEvent());
      for (const event of events) await harness.claim(event, lease);
      if (!harness.store.transaction) return;

      await Promise.all(
        events.map((event) => harness.store.transaction?.(event, 'A.run', lease, async () => {})),
      );

      expect(await harness.store.count({ state: 'done' })).toBe(5);
    });
  });

  describe('complete', () => {
    it('records the run if its transaction is committed', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      const opened = await harness.begin();
      if (!opened) return;

      await harness.store.complete?.(opened.transaction, event, 'A.run', lease);
      await opened.commit();

      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'done' } });
      expect(await harness.store.settle(event, FAILED, lease)).toEqual([]);
      expect(await harness.store.settle(event, DONE, lease)).toEqual(['A.run']);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done', attempts: 1 }]);
    });

    it('records nothing if its transaction is rolled back', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      const opened = await harness.begin();
      if (!opened) return;

      await harness.store.complete?.(opened.transaction, event, 'A.run', lease);
      await opened.rollback();

      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'running' }]);
      expect(await harness.store.settle(event, FAILED, lease)).toEqual(['A.run']);
    });

    it('rejects if another attempt has taken over', async () => {
      const { event, lost, next } = await losingLease();
      const opened = await harness.begin();
      if (!opened) return;

      const completed = harness.store.complete?.(opened.transaction, event, 'A.run', lost);

      expect(await rejectionOf(completed)).toMatchObject({ code: 'lease_lost' });
      await opened.rollback();
      expect(await harness.store.settle(event, DONE, next)).toEqual(['A.run']);
    });

    it('refuses a transaction that has ended, and records nothing', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      const opened = await harness.begin();
      if (!opened) return;
      await opened.commit();

      const completed = harness.store.complete?.(opened.transaction, event, 'A.run', lease);

      expect((await rejectionOf(completed)) instanceof Error).toBe(true);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'running' }]);
    });
  });
}

/** What a promise rejects with, or undefined if it does not. */
async function rejectionOf(promise: Promise<unknown> | undefined): Promise<unknown> {
  return promise?.then(
    () => undefined,
    (error: unknown) => error,
  );
}
