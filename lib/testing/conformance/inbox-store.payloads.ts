import type { InboxKey } from '../../inbox/inbox-queries.js';
import type { InboxEvent, InboxStore } from '../../inbox/inbox-store.js';
import { isEncryptionStore, isWorkStore } from '../../inbox/inbox-work.js';
import { OWN, ofOrganization } from './inbox-store.erasure.js';
import { aLease, anEvent, type ConformanceHarness, type ConformanceRunner } from './inbox-store.harness.js';
import { take } from './inbox-store.work.js';

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

const keyOf = (id: string, byte: number) => ({ id, secret: Buffer.alloc(32, byte).toString('base64') });
const OLD_KEY = keyOf('old', 1);
const NEW_KEY = keyOf('new', 2);
const [OLD, NEW, BOTH] = [[OLD_KEY], [NEW_KEY], [NEW_KEY, OLD_KEY]].map((keys) => ({ encryption: { keys } }));

/** Encrypting what is kept of an event. Harnesses without `openWith` pass. */
export function describeEncryption(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, it, expect } = runner;
  const test = (name: string, body: () => Promise<void>) =>
    it(name, async () => {
      if (harness.canOpenWith) await body();
    });
  const textOf = async (store: InboxStore, key: InboxKey) => {
    const payload = await store.payload(key);
    return payload && Buffer.from(payload).toString();
  };
  const record = async (store: InboxStore, changes: Partial<InboxEvent> = {}) => {
    const event = anEvent(changes);
    await store.claim(event, ['A.run'], aLease());
    return event;
  };
  const codeOf = (reading: Promise<unknown>) =>
    reading.then(
      () => 'none',
      (error) => Object(error).code,
    );

  describe('encryption', () => {
    test('keeps payloads that only a store with their key can read', async () => {
      const event = await record(harness.openWith(OLD));

      expect(await textOf(harness.openWith(OLD), event)).toBe('{"secret":"payload-marker"}');
      expect(await codeOf(harness.store.payload(event))).toBe('payload_unreadable');
      expect(await codeOf(harness.openWith(NEW).payload(event))).toBe('payload_unreadable');
    });

    test('can be switched on and off, and keys can be changed, as long as old keys are given', async () => {
      const events = [
        await record(harness.store),
        await record(harness.openWith(OLD)),
        await record(harness.openWith(BOTH)),
        await record(harness.openWith({ ...BOTH, payloads: 'keep' })),
      ];

      for (const options of [BOTH, { ...BOTH, payloads: 'keep' as const }]) {
        const texts = await Promise.all(events.map((event) => textOf(harness.openWith(options), event)));
        expect(new Set(texts)).toEqual(new Set(['{"secret":"payload-marker"}']));
      }
      const codes = await Promise.all(events.map((event) => codeOf(harness.store.payload(event))));
      expect(codes).toEqual(['none', 'payload_unreadable', 'payload_unreadable', 'none']);
      expect(await codeOf(harness.openWith(NEW).payload(events[2] ?? anEvent()))).toBe('none');
    });

    test('lets workers have the runs that they can read, and says why they cannot read others', async () => {
      const [lost, worker] = [harness.openWith(OLD), harness.openWith(NEW)];
      if (!isWorkStore(lost) || !isWorkStore(worker)) return;
      const delivery = { id: 'msg_1', headers: { 'x-user': 'a' } };
      const events = [anEvent({ delivery }), anEvent({ delivery }), anEvent({ delivery })];
      for (const [index, store] of [worker, lost, worker].entries()) {
        await store.enqueue(events[index] ?? anEvent(), ['A.run']);
      }

      const { runs } = await take(worker);

      const found = new Map(
        runs.map((run) => [
          run.eventId,
          [run.payload !== undefined, run.delivery?.id, run.unreadable?.keyId],
        ]),
      );
      expect(events.map(({ eventId }) => found.get(eventId))).toEqual([
        [true, 'msg_1', undefined],
        [false, undefined, 'old'],
        [true, 'msg_1', undefined],
      ]);
    });

    test('applies to a payload that is stored again after it was dropped', async () => {
      if (!harness.dropsPayloads) return;
      const [store, event] = [harness.openWith(NEW), ofOrganization()];
      const lease = aLease();
      await store.claim(event, ['A.run'], lease);
      await store.settle(event, [A_DONE], lease);
      await store.claim(event, ['B.run'], aLease());

      expect(await textOf(store, event)).toBe('{"secret":"payload-marker"}');
      expect(await codeOf(harness.store.payload(event))).toBe('payload_unreadable');
    });

    test('covers how the event arrived, as does encrypting again', async () => {
      const [store, event] = [harness.openWith(OLD), ofOrganization()];
      await store.claim(event, ['A.run'], aLease());

      if (!store.delivery || !harness.store.delivery) return;
      expect(await store.delivery(event)).toEqual(event.delivery);
      expect(await codeOf(harness.store.delivery(event))).toBe('payload_unreadable');
      const again = harness.openWith(BOTH);
      if (isEncryptionStore(again)) await again.reencrypt();
      expect(await harness.openWith(NEW).delivery?.(event)).toEqual(event.delivery);
    });

    test('is not the only protection: without it, secrets of TXT records are not kept', async () => {
      const payload = Buffer.from('{"data":{"domain":"a.example","txt_record_secret":"s3cret"}}');
      const [plain, sealed] = [
        await record(harness.store, { payload }),
        await record(harness.openWith(NEW), { payload }),
      ];

      const kept = await textOf(harness.store, plain);
      expect([undefined, '{"data":{"domain":"a.example"}}']).toContain(kept);
      expect(await textOf(harness.openWith(NEW), sealed)).toBe(String(payload));
    });
  });

  describe('reencrypt', () => {
    test('encrypts every payload with the first key, page by page', async () => {
      const store = harness.openWith(BOTH);
      if (!isEncryptionStore(store)) return;
      const delivery = { id: 'msg_1', headers: { 'x-user': 'a' } };
      const events: InboxEvent[] = [];
      for (const one of [harness.store, harness.openWith(OLD), store, harness.store, harness.openWith(OLD)]) {
        events.push(await record(one, { delivery }));
      }
      const counts = { rewritten: 0, unchanged: 0 };
      let cursor: string | undefined;
      do {
        const page = await store.reencrypt({ limit: 2, ...(cursor !== undefined && { cursor }) });
        counts.rewritten += page.rewritten;
        counts.unchanged += page.unchanged;
        expect(page.unreadable).toEqual([]);
        cursor = page.nextCursor;
      } while (cursor !== undefined);

      expect(counts).toEqual({ rewritten: 4, unchanged: 1 });
      for (const event of events) {
        expect(await textOf(harness.openWith(NEW), event)).toBe('{"secret":"payload-marker"}');
      }
      expect(await store.reencrypt()).toEqual({ rewritten: 0, unchanged: 5, unreadable: [] });
    });

    test('names the events that it cannot read, and leaves them as they are', async () => {
      const store = harness.openWith(NEW);
      if (!isEncryptionStore(store)) return;
      const { endpoint, eventId } = await record(harness.openWith(OLD));
      await record(harness.store);

      expect(await store.reencrypt()).toEqual({
        rewritten: 1,
        unchanged: 0,
        unreadable: [{ endpoint, eventId }],
      });
      expect(await textOf(harness.openWith(OLD), { endpoint, eventId })).toBe('{"secret":"payload-marker"}');
    });
  });
}
