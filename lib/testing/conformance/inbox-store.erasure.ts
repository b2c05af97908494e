import type { InboxEvent, InboxStore } from '../../inbox/inbox-store.js';
import { type InboxWorkStore, isEncryptionStore, isWorkStore } from '../../inbox/inbox-work.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
} from './inbox-store.harness.js';

/** A store that has `erase`. */
type ErasingStore = InboxStore & Required<Pick<InboxStore, 'erase'>>;

/** The organization of these events. */
export const OWN = { endpoint: 'default', organizationId: 'org_1' } as const;
const KEYS = [{ id: 'one', secret: Buffer.alloc(32, 1).toString('base64') }];
const ERASED = { name: FAILURE.name, message: '' };
const A_DONE = { handlerId: 'A.run', state: 'done' } as const;
const A_FAILED = { handlerId: 'A.run', state: 'failed', error: FAILURE } as const;

/** An event of an organization and a user, and how it arrived. */
export function ofOrganization(changes: Partial<InboxEvent> = {}): InboxEvent {
  return anEvent({
    organizationId: 'org_1',
    entity: 'user:usr_1',
    delivery: { id: 'delivery-1', headers: { 'x-forwarded-for': 'address-marker' } },
    ...changes,
  });
}

/** Erasing the entries of an organization or an entity. A store without `erase` passes. */
export function describeErasure(harness: ConformanceHarness, runner: ConformanceRunner): void {
  const { describe, it, expect } = runner;
  const test = (name: string, body: (store: ErasingStore) => Promise<void>) =>
    it(name, async () => {
      if (harness.store.erase) await body(harness.store as ErasingStore);
    });
  const testWork = (name: string, body: (store: ErasingStore & InboxWorkStore) => Promise<void>) =>
    test(name, async (store) => {
      if (isWorkStore(store)) await body(store);
    });
  const take = (store: InboxWorkStore, handlerIds = ['A.run']) =>
    store.takeDue({ endpoint: 'default', handlerIds, limit: 10, lease: aLease() });

  describe('erase', () => {
    test('removes the payload and the message of the error, and says when', async (store) => {
      const event = ofOrganization();
      await harness.record(event, 'failed');

      expect(await store.erase(OWN)).toBe(1);

      expect(await store.payload(event)).toBeUndefined();
      const entry = await harness.entryOf(event);
      expect(entry.runs).toMatchObject([{ handlerId: 'A.run', state: 'failed', attempts: 1, error: ERASED }]);
      expect({ erasedAt: entry.erasedAt }).toEqual({ erasedAt: expect.any(Date) });
      expect((await store.list({ organizationId: 'org_1' })).entries).toEqual([entry]);
    });

    test('removes how the event arrived', async (store) => {
      if (!store.delivery) return;
      const event = ofOrganization();
      await harness.claim(event);
      expect(await store.delivery(event)).toEqual(event.delivery);

      await store.erase(OWN);

      expect(await store.delivery(event)).toBeUndefined();
    });

    test('says of no other entry that it was erased', async () => {
      const event = ofOrganization();
      await harness.claim(event);

      expect(Object.keys(await harness.entryOf(event))).not.toContain('erasedAt');
    });

    test('erases the entries of an entity', async (store) => {
      const [event, other] = [ofOrganization(), ofOrganization({ entity: 'user:usr_2' })];
      await harness.record(event, 'failed');
      await harness.record(other, 'failed');

      expect(await store.erase({ endpoint: 'default', entity: 'user:usr_1' })).toBe(1);

      expect((await harness.entryOf(event)).runs).toMatchObject([{ error: ERASED }]);
      expect((await harness.entryOf(other)).runs).toMatchObject([{ error: FAILURE }]);
    });

    test('leaves other organizations and other endpoints alone', async (store) => {
      const others = [
        ofOrganization({ organizationId: 'org_2' }),
        ofOrganization({ endpoint: 'other' }),
        anEvent(),
      ];
      for (const other of others) await harness.record(other, 'failed');

      expect(await store.erase(OWN)).toBe(0);

      for (const other of others) {
        const entry = await harness.entryOf(other);
        expect(entry.runs).toMatchObject([{ error: FAILURE }]);
        expect(entry.erasedAt).toBeUndefined();
      }
    });

    test('erases the entries of all endpoints if it is given none', async (store) => {
      await harness.record(ofOrganization(), 'failed');
      await harness.record(ofOrganization({ endpoint: 'other' }), 'failed');

      expect(await store.erase({ organizationId: 'org_1' })).toBe(2);
    });

    test('can be repeated, and then erases only what is new', async (store) => {
      await harness.record(ofOrganization(), 'failed');
      expect(await store.erase(OWN)).toBe(1);
      const event = ofOrganization();
      await harness.record(event, 'failed');

      expect(await store.erase(OWN)).toBe(1);

      expect((await harness.entryOf(event)).runs).toMatchObject([{ error: ERASED }]);
      expect(await store.erase(OWN)).toBe(0);
    });

    test('erases more entries than fit into a batch', async (store) => {
      const events = Array.from({ length: 620 }, () => ofOrganization());
      for (let start = 0; start < events.length; start += 31) {
        await Promise.all(events.slice(start, start + 31).map((event) => harness.claim(event)));
      }

      expect(await store.erase(OWN)).toBe(620);
      const entries = await Promise.all(events.map((event) => harness.entryOf(event)));
      expect(entries.filter(({ erasedAt }) => erasedAt === undefined)).toHaveLength(0);
    });

    test('keeps what guards against duplicates, and never stores the payload again', async (store) => {
      const event = ofOrganization();
      await harness.record(event, 'done');
      await store.erase(OWN);

      expect(await harness.claim(event)).toEqual({ 'A.run': { state: 'done' } });
      expect(await store.payload(event)).toBeUndefined();
    });

    test('lets the delivery that brings an event again execute its failed run', async (store) => {
      const event = ofOrganization();
      await harness.record(event, 'failed');
      await store.erase(OWN);
      const lease = aLease();

      expect(await harness.claim(event, lease)).toEqual({ 'A.run': { state: 'claimed', attempt: 2 } });
      expect(await store.settle(event, [A_DONE], lease)).toEqual(['A.run']);
      expect(await store.payload(event)).toBeUndefined();
    });

    test('keeps only the name of an error that is settled afterwards', async (store) => {
      const event = ofOrganization();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run']);
      await store.erase(OWN);
      await store.settle(event, [A_FAILED, { ...A_FAILED, handlerId: 'B.run', state: 'dead' }], lease);

      expect((await harness.entryOf(event)).runs).toMatchObject([{ error: ERASED }, { error: ERASED }]);
    });

    test('keeps only the name of the error of a handler that is new', async (store) => {
      const event = ofOrganization();
      await harness.record(event, 'done');
      await store.erase(OWN);
      const lease = aLease();
      await harness.claim(event, lease, ['B.run']);
      await store.settle(event, [{ ...A_FAILED, handlerId: 'B.run' }], lease);

      expect((await harness.entryOf(event)).runs).toMatchObject([{}, { handlerId: 'B.run', error: ERASED }]);
    });

    test('keeps what a PayloadErasedError says', async (store) => {
      const event = ofOrganization();
      const lease = aLease();
      const error = { name: 'PayloadErasedError', message: 'The payload was erased.' };
      await harness.claim(event, lease);
      await store.erase(OWN);
      await store.settle(event, [{ handlerId: 'A.run', state: 'dead', error }], lease);
      await store.erase(OWN);

      expect((await harness.entryOf(event)).runs).toMatchObject([{ state: 'dead', error }]);
    });

    test('keeps only the name of an error, whatever characters it contains', async (store) => {
      const event = ofOrganization();
      const lease = aLease();
      const name = '","message":"\\\ud800';
      await harness.claim(event, lease);
      await store.erase(OWN);
      const error = { name, message: 'text-marker "\ud800' };
      await store.settle(event, [{ handlerId: 'A.run', state: 'failed', error }], lease);

      expect((await harness.entryOf(event)).runs).toMatchObject([{ error: { name, message: '' } }]);
    });

    test('no longer lists an entry by the message of its error', async (store) => {
      await harness.record(ofOrganization(), 'failed');
      await store.erase(OWN);

      expect((await store.list({ error: FAILURE.message })).entries).toHaveLength(0);
      expect((await store.list({ error: FAILURE.name })).entries).toHaveLength(1);
    });

    test('keeps the texts away while runs settle at the same time', async (store) => {
      const leased = Array.from({ length: 20 }, () => ({ event: ofOrganization(), lease: aLease() }));
      for (const { event, lease } of leased) await harness.claim(event, lease);

      await Promise.all([
        ...leased.slice(0, 10).map(({ event, lease }) => store.settle(event, [A_FAILED], lease)),
        store.erase(OWN),
        ...leased.slice(10).map(({ event, lease }) => store.settle(event, [A_FAILED], lease)),
      ]);

      const runs = await Promise.all(leased.map(async ({ event }) => (await harness.entryOf(event)).runs));
      for (const run of runs.flat()) expect(run.error).toEqual(ERASED);
    });

    testWork('gives a worker a run without a payload, and its neighbours as they are', async (store) => {
      const [event, other] = [ofOrganization(), ofOrganization({ organizationId: 'org_2' })];
      await store.enqueue(event, ['A.run']);
      await store.enqueue(other, ['A.run']);
      await store.erase(OWN);

      const { runs } = await take(store);

      const found = runs.map(({ eventId, payload, delivery }) => [eventId, payload && 'payload', delivery]);
      expect(found).toHaveLength(2);
      expect(Object.fromEntries(found.map(([id, ...others]) => [id, others]))).toEqual({
        [event.eventId]: [undefined, undefined],
        [other.eventId]: ['payload', other.delivery],
      });
    });

    test('needs no key, and leaves nothing of an encrypted payload', async (store) => {
      if (!harness.canOpenWith) return;
      const encrypting = harness.openWith({ encryption: { keys: KEYS } });
      const event = ofOrganization();
      await encrypting.claim(event, ['A.run'], aLease());
      if (isWorkStore(encrypting)) await encrypting.enqueue(event, ['B.run']);

      expect(await store.erase(OWN)).toBe(1);

      expect(await encrypting.payload(event)).toBeUndefined();
      expect(await encrypting.delivery?.(event)).toBeUndefined();
      if (!isWorkStore(encrypting)) return;
      const { runs } = await take(encrypting, ['B.run']);
      expect(runs.map(({ payload, unreadable }) => [payload, unreadable])).toEqual([[undefined, undefined]]);
    });

    test('leaves nothing to encrypt again, as dropping does', async (store) => {
      const encrypting = harness.openWith({ encryption: { keys: KEYS } });
      if (!harness.canOpenWith || !isEncryptionStore(encrypting)) return;
      await harness.claim(ofOrganization());
      await store.erase(OWN);
      await harness.record(anEvent(), 'done');

      const rewritten = harness.dropsPayloads ? 0 : 1;
      expect(await encrypting.reencrypt()).toEqual({ rewritten, unchanged: 2 - rewritten, unreadable: [] });
    });

    testWork('gives a worker no payload if the event is enqueued again', async (store) => {
      const event = ofOrganization();
      await harness.record(event, 'failed');
      await store.erase(OWN);
      await store.enqueue(event, ['A.run']);

      const { runs } = await take(store);

      expect(runs).toHaveLength(1);
      expect(runs[0]?.payload).toBeUndefined();
      expect(runs[0]?.delivery).toBeUndefined();
    });
  });
}
