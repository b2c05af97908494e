import type { InboxEvent, InboxLease, InboxStore } from '../../inbox/inbox-store.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
  LEASE_MS,
} from './inbox-store.harness.js';

/** A store that has `admit`. */
type EntityStore = InboxStore & Required<Pick<InboxStore, 'admit'>>;

const DONE = [{ handlerId: 'A.run', state: 'done' as const }];
const FAILED = [{ handlerId: 'A.run', state: 'failed' as const, error: FAILURE }];

/** Handling only the newest event of an entity. A store without `admit` passes. */
export function describeEntities(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, it, expect } = runner;
  const test = (name: string, body: (store: EntityStore) => Promise<void>) =>
    it(name, async () => {
      if (harness.store.admit) await body(harness.store as EntityStore);
    });
  const ask = (event: InboxEvent, lease: InboxLease, occurredAt: number, name = 'user:usr_1') =>
    (harness.store as EntityStore).admit(event, 'A.run', lease, { name, occurredAt });

  /** Claims a run and asks for its entity. */
  async function start(occurredAt: number, { event = anEvent(), name = 'user:usr_1' } = {}) {
    const lease = aLease();
    await harness.claim(event, lease);
    return { event, lease, admission: await ask(event, lease, occurredAt, name) };
  }

  /** Handles an event, and records that it is done. */
  async function finish(occurredAt: number, event = anEvent()) {
    const { lease, admission } = await start(occurredAt, { event });
    await harness.store.settle(event, DONE, lease);
    return { event, admission };
  }

  describe('admit', () => {
    test('admits the first event of an entity, and every newer one', async () => {
      expect((await finish(10)).admission).toBe('admitted');
      expect((await finish(20)).admission).toBe('admitted');
    });

    test('finds an event stale if a newer one is done, and says so in its entry', async (store) => {
      await finish(20);
      const { event, lease, admission } = await start(19);

      expect(admission).toBe('stale');
      expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'done', note: 'stale' }]);
      expect((await start(18)).admission).toBe('stale');
    });

    test('tells times apart that differ by a microsecond', async () => {
      await finish(1_767_323_045_678_901);

      expect((await start(1_767_323_045_678_900)).admission).toBe('stale');
      expect((await start(1_767_323_045_678_901)).admission).toBe('admitted');
    });

    test('remembers the newest time, whatever is done after it', async () => {
      await finish(30);
      await finish(10);
      await finish(30);

      expect((await start(29)).admission).toBe('stale');
      expect((await start(30)).admission).toBe('admitted');
    });

    test('lets only one event of an entity go on at a time', async (store) => {
      const first = await start(10);
      const second = await start(20);

      expect([first.admission, second.admission]).toEqual(['admitted', 'busy']);
      await store.settle(first.event, DONE, first.lease);
      expect(await ask(second.event, second.lease, 20)).toBe('admitted');
      expect((await start(15)).admission).toBe('busy');
    });

    test('admits exactly one of many events that ask at the same time', async () => {
      const started = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const [event, lease] = [anEvent(), aLease()];
          await harness.claim(event, lease);
          return { event, lease };
        }),
      );

      const answers = await Promise.all(started.map(({ event, lease }, index) => ask(event, lease, index)));

      expect(answers.filter((answer) => answer === 'admitted')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'busy')).toHaveLength(11);
    });

    test('gives the same answer if it is asked again', async () => {
      const { event, lease } = await start(10);

      expect(await ask(event, lease, 10)).toBe('admitted');
      expect(await ask(event, lease, 10)).toBe('admitted');
    });

    test('keeps entities, handlers and endpoints apart', async (store) => {
      await start(20);

      expect((await start(10, { name: 'user:usr_2' })).admission).toBe('admitted');
      expect((await start(10, { event: anEvent({ endpoint: 'other' }) })).admission).toBe('admitted');
      const [event, lease] = [anEvent(), aLease()];
      await harness.claim(event, lease, ['B.run']);
      const entity = { name: 'user:usr_1', occurredAt: 10 };
      expect(await store.admit(event, 'B.run', lease, entity)).toBe('admitted');
    });

    test('takes any characters in the name of an entity', async () => {
      const name = `ключ\u0000\ud800${'x'.repeat(5000)}`;

      expect((await start(10, { name })).admission).toBe('admitted');
      expect((await start(10, { name })).admission).toBe('busy');
    });

    test('does not count a failed run as done', async (store) => {
      const newer = await start(20);
      await store.settle(newer.event, FAILED, newer.lease);

      expect((await finish(10)).admission).toBe('admitted');
      expect((await start(20, { event: newer.event })).admission).toBe('admitted');
    });

    test('waits for another attempt of the same event, too', async (store) => {
      const first = await start(10);
      await store.settle(first.event, FAILED, first.lease);
      expect((await start(10, { event: first.event })).admission).toBe('admitted');

      expect((await start(20)).admission).toBe('busy');
    });

    test('clears the note of a run that is admitted later', async (store) => {
      await finish(20);
      const { event, lease } = await start(10);
      await store.settle(event, DONE, lease);
      await store.reopen(event, ['A.run']);

      const again = await start(30, { event });
      await store.settle(event, DONE, again.lease);

      expect(again.admission).toBe('admitted');
      expect((await harness.entryOf(event)).runs[0]?.note).toBeUndefined();
    });

    test('passes an entity on when the lease has ended, and fences the attempt that had it', async (store) => {
      const lost = await start(10);
      await harness.advance(LEASE_MS + 1);

      const next = await start(20);

      expect(next.admission).toBe('admitted');
      expect(await store.settle(lost.event, DONE, lost.lease)).toEqual([]);
      await store.settle(next.event, DONE, next.lease);
      expect((await start(10, { event: lost.event })).admission).toBe('stale');
    });

    test('leaves alone an attempt whose lease has ended, until the entity is passed on', async (store) => {
      const { event, lease } = await start(10);
      await harness.advance(LEASE_MS + 1);

      expect(await store.settle(event, DONE, lease)).toEqual(['A.run']);
      expect((await start(9)).admission).toBe('stale');
    });

    test('does not admit a run that has lost its lease', async () => {
      const [event, lost] = [anEvent(), aLease()];
      await harness.claim(event, lost);
      await harness.advance(LEASE_MS + 1);
      const next = await start(10, { event });

      expect(next.admission).toBe('admitted');
      expect(await ask(event, lost, 10)).toBe('busy');
      expect((await start(20)).admission).toBe('busy');
    });

    test('does not admit a run that nobody has claimed', async () => {
      expect(await ask(anEvent(), aLease(), 10)).toBe('busy');
    });

    test('counts a run as done that is recorded in a transaction', async (store) => {
      if (!store.transaction) return;
      const { event, lease } = await start(20);
      await store.transaction(event, 'A.run', lease, async () => {});
      await store.settle(event, DONE, lease);

      expect((await start(10)).admission).toBe('stale');
    });

    test('refuses to commit the transaction of an attempt that has lost its entity', async (store) => {
      if (!store.transaction) return;
      const lost = await start(10);
      await harness.advance(LEASE_MS + 1);
      await start(20);

      const refusal = await store.transaction(lost.event, 'A.run', lost.lease, async () => {}).catch(String);

      expect(refusal).toContain('LeaseLostError');
    });

    test('does not forget an entity that a run has, whatever is pruned', async (store) => {
      await start(10);
      await store.prune(new Date(Date.now() + 60_000));
      expect((await start(20)).admission).toBe('busy');
    });
  });
}
