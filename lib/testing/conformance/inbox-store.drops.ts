import type { InboxKey } from '../../inbox/inbox-queries.js';
import type { InboxStore } from '../../inbox/inbox-store.js';
import { isWorkStore } from '../../inbox/inbox-work.js';
import { OWN, ofOrganization } from './inbox-store.erasure.js';
import { aLease, anEvent, type ConformanceHarness, type ConformanceRunner } from './inbox-store.harness.js';

const A_DONE = { handlerId: 'A.run', state: 'done' } as const;

/** Dropping the payload of an event whose runs are done. A store that keeps payloads passes. */
export function describeDrops(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, it, expect } = runner;
  const test = (name: string, body: (store: InboxStore) => Promise<void>) =>
    it(name, async () => {
      if (harness.dropsPayloads) await body(harness.store);
    });
  const hasPayload = async (key: InboxKey) => (await harness.store.payload(key)) !== undefined;

  describe("payloads: 'drop-when-done'", () => {
    test('drops the payload and the delivery when the last run is done', async (store) => {
      const event = ofOrganization();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      await store.settle(event, [A_DONE], lease);
      expect(await hasPayload(event)).toBe(true);

      await store.settle(event, [{ ...A_DONE, handlerId: 'B.run' }], lease);

      expect(await hasPayload(event)).toBe(false);
      expect(await store.delivery?.(event)).toBeUndefined();
      expect((await harness.entryOf(event)).erasedAt).toBeUndefined();
    });

    test('keeps it while a run is failed, dead, queued or running', async (store) => {
      for (const state of ['failed', 'dead', 'queued'] as const) {
        const event = anEvent();
        const lease = aLease();
        await harness.claim(event, lease, ['A.run', 'B.run']);
        await store.settle(event, [A_DONE, { handlerId: 'B.run', state }], lease);
        expect(await hasPayload(event)).toBe(true);
      }
      const event = anEvent();
      await harness.record(event, 'done');
      await harness.claim(event, aLease(), ['B.run']);
      expect(await hasPayload(event)).toBe(true);
    });

    test('drops it when the last dead run is dismissed', async (store) => {
      const event = anEvent();
      await harness.record(event, 'dead');
      expect(await hasPayload(event)).toBe(true);

      await store.dismiss(event);

      expect(await hasPayload(event)).toBe(false);
    });

    test('drops it when two runs are settled at the same time', async (store) => {
      for (let round = 0; round < 10; round += 1) {
        const event = anEvent();
        const [one, other] = [aLease(), aLease()];
        await harness.claim(event, one, ['A.run']);
        await harness.claim(event, other, ['B.run']);
        await Promise.all([
          store.settle(event, [A_DONE], one),
          store.settle(event, [{ ...A_DONE, handlerId: 'B.run' }], other),
        ]);
        expect(await hasPayload(event)).toBe(false);
      }
    });

    test('does not store it again for a duplicate', async () => {
      const event = anEvent();
      await harness.record(event, 'done');
      await harness.claim(event);

      expect(await hasPayload(event)).toBe(false);
    });

    test('stores it again if a handler that is new claims its run', async (store) => {
      const event = anEvent();
      await harness.record(event, 'done');
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      expect(await hasPayload(event)).toBe(true);

      await store.settle(event, [{ ...A_DONE, handlerId: 'B.run' }], lease);

      expect(await hasPayload(event)).toBe(false);
    });

    test('keeps it if a run is claimed while the last one is settled', async (store) => {
      for (let round = 0; round < 20; round += 1) {
        const event = anEvent();
        const lease = aLease();
        await harness.claim(event, lease);
        await Promise.all([
          store.settle(event, [A_DONE], lease),
          harness.claim(event, aLease(), ['A.run', 'B.run']),
        ]);
        expect(await hasPayload(event)).toBe(true);
      }
    });

    test('does not store it again in an entry that was erased', async (store) => {
      const event = ofOrganization();
      await harness.record(event, 'done');
      await store.erase?.(OWN);
      await harness.claim(event, aLease(), ['B.run']);

      expect(await hasPayload(event)).toBe(!store.erase);
    });

    test('drops it when a transaction has completed the last run', async (store) => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease);
      const open = await harness.begin();
      if (!open) return;
      await store.complete?.(open.transaction, event, 'A.run', lease);
      await open.commit();
      await store.settle(event, [A_DONE], lease);

      expect(await hasPayload(event)).toBe(false);
    });

    test('lets a worker take a run that is enqueued again', async (store) => {
      if (!isWorkStore(store)) return;
      const event = anEvent();
      await harness.record(event, 'done');
      await store.enqueue(event, ['A.run']);
      expect(await hasPayload(event)).toBe(false);

      await store.enqueue(event, ['B.run']);

      const lease = aLease();
      const { runs } = await store.takeDue({ endpoint: 'default', handlerIds: ['B.run'], limit: 1, lease });
      expect(Buffer.from(runs[0]?.payload ?? []).equals(Buffer.from(event.payload))).toBe(true);
      await store.settle(event, [{ ...A_DONE, handlerId: 'B.run' }], lease);
      expect(await hasPayload(event)).toBe(false);
    });
  });
}
