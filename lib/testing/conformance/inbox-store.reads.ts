import type { InboxEncryptionKey } from '../../inbox/inbox-options.js';
import type { InboxFilter, InboxKey } from '../../inbox/inbox-queries.js';
import type { InboxEvent, InboxStore } from '../../inbox/inbox-store.js';
import { isEncryptionStore, isWorkStore } from '../../inbox/inbox-work.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
} from './inbox-store.harness.js';
import { take } from './inbox-store.work.js';

/** What can be read, and how it is listed. */
export function describeReads(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  describe('reads', () => {
    it('find nothing for an unknown event', async () => {
      expect(await harness.store.get(anEvent())).toBeUndefined();
      expect(await harness.store.list()).toEqual({ entries: [] });
      expect(await harness.store.count()).toBe(0);
    });

    it('show the organization and the entity that were recorded first, if there are any', async () => {
      const event = anEvent({ organizationId: 'org_1\\ü\u0000:{}', entity: 'membership:usr_1:org_1' });
      const bare = anEvent();
      await harness.claim(event);
      await harness.claim({ ...event, organizationId: 'org_2', entity: 'user:usr_2' }, aLease(), ['B.run']);
      await harness.claim(bare);

      const { organizationId, entity } = event;
      expect(await harness.store.get(event)).toMatchObject({ organizationId, entity });
      const [listed, other] = (await harness.store.list()).entries;
      expect(listed).toMatchObject({ organizationId, entity });
      expect(Object.keys(other ?? {}).filter((name) => /^(organizationId|entity)$/.test(name))).toEqual([]);
    });

    it('never contain the payload', async () => {
      const event = anEvent();
      await harness.record(event, 'failed');

      const read = JSON.stringify([await harness.store.get(event), await harness.store.list()]);
      expect(read).toContain(FAILURE.message);
      expect(read).not.toContain('payload-marker');
    });

    it('return the same entry from list and get', async () => {
      const event = anEvent();
      await harness.record(event, 'failed');

      expect((await harness.store.list()).entries).toEqual([await harness.store.get(event)]);
    });

    it('list and count by endpoint, type and state, and by combinations of them', async () => {
      const failed = anEvent({ endpoint: 'one', type: 'user.created' });
      const done = anEvent({ endpoint: 'one', type: 'user.deleted' });
      const dead = anEvent({ endpoint: 'two', type: 'user.created' });
      const running = anEvent({ endpoint: 'two', type: 'user.deleted' });
      await harness.record(failed, 'failed');
      await harness.record(done, 'done');
      await harness.record(dead, 'dead');
      await harness.claim(running);

      const cases: [InboxFilter, InboxEvent[]][] = [
        [{}, [failed, done, dead, running]],
        [{ endpoint: 'one' }, [failed, done]],
        [{ type: 'user.created' }, [failed, dead]],
        [{ state: 'running' }, [running]],
        [{ endpoint: 'two', type: 'user.created', state: 'dead' }, [dead]],
        [{ endpoint: 'one', state: 'dead' }, []],
      ];
      for (const [filter, events] of cases) {
        const { entries } = await harness.store.list(filter);
        expect(entries.map(({ eventId }) => eventId)).toEqual(events.map(({ eventId }) => eventId));
        expect(await harness.store.count(filter)).toBe(events.length);
      }
    });

    it('find an entry once by the state of any of its runs', async () => {
      const event = anEvent();
      const lease = aLease();
      await harness.claim(event, lease, ['A.run', 'B.run', 'C.run']);
      await harness.store.settle(
        event,
        ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'done' as const })),
        lease,
      );

      expect(await harness.store.count({ state: 'done' })).toBe(1);
      expect((await harness.store.list({ state: 'running' })).entries).toHaveLength(1);
    });

    it('list entries page by page, oldest first', async () => {
      const ids = await harness.addEvents(5);

      const first = await harness.store.list({}, { limit: 2 });

      expect(first.entries).toHaveLength(2);
      expect(await harness.pagesFrom(first, 2)).toEqual(ids);
    });

    it('return no cursor with the last page', async () => {
      await harness.addEvents(4);

      const first = await harness.store.list({}, { limit: 2 });
      const second = await harness.store.list({}, { limit: 2, cursor: first.nextCursor ?? '' });

      expect(second.entries).toHaveLength(2);
      expect(second.nextCursor).toBeUndefined();
    });

    it('list 50 entries per page by default', async () => {
      await harness.addEvents(51);

      expect((await harness.store.list()).entries).toHaveLength(50);
    });

    it('list filtered entries page by page', async () => {
      const wanted = await harness.addEvents(2, { type: 'user.created' });
      await harness.addEvents(2, { type: 'user.deleted' });
      wanted.push(...(await harness.addEvents(1, { type: 'user.created' })));
      const filter = { type: 'user.created' };

      expect(await harness.pagesFrom(await harness.store.list(filter, { limit: 1 }), 1, filter)).toEqual(
        wanted,
      );
    });

    it('neither skip nor repeat an entry while others are added', async () => {
      const ids = await harness.addEvents(4);
      const first = await harness.store.list({}, { limit: 2 });
      ids.push(...(await harness.addEvents(2)));

      expect(await harness.pagesFrom(first, 2)).toEqual(ids);
    });

    it('neither skip nor repeat an entry while others are forgotten', async () => {
      const old = await harness.addEvents(3);
      await harness.advance(1000);
      const recent = await harness.addEvents(3);
      const first = await harness.store.list({}, { limit: 2 });
      const { receivedAt } = await harness.entryOf({ endpoint: 'default', eventId: recent[0] ?? '' });
      await harness.store.prune(receivedAt);

      expect(await harness.pagesFrom(first, 2)).toEqual([...old.slice(0, 2), ...recent]);
    });
  });
}

const keyOf = (id: string, byte: number): InboxEncryptionKey => ({
  id,
  secret: Buffer.alloc(32, byte).toString('base64'),
});
const OLD_KEY = keyOf('old', 1);
const NEW_KEY = keyOf('new', 2);
const [OLD, NEW, BOTH] = [[OLD_KEY], [NEW_KEY], [NEW_KEY, OLD_KEY]].map((keys) => ({ encryption: { keys } }));

/** What is kept of an event's bytes. Harnesses without `openWith` pass the tests of encryption. */
export function describePayloads(harness: ConformanceHarness, runner: ConformanceRunner): void {
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

  describe('payload', () => {
    it('is the exact bytes that were first received, if the store keeps payloads', async () => {
      const event = anEvent({ payload: Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0x0d, 0x0a, 0x7d]) });
      await harness.claim(event);
      await harness.claim({ ...event, payload: Buffer.from('{}') });

      const payload = await harness.store.payload(event);

      expect([undefined, Buffer.from(event.payload).toString('hex')]).toContain(
        payload && Buffer.from(payload).toString('hex'),
      );
    });

    it('is undefined for an unknown event', async () => {
      expect(await harness.store.payload(anEvent())).toBeUndefined();
    });
  });

  describe('delivery', () => {
    it('is how the event was first received, and only then', async () => {
      const { store } = harness;
      if (!store.delivery) return;
      const delivery = {
        id: 'msg_1',
        headers: { 'x-tag': ['a', '\u0000\ud800'] },
        carried: { trace: 'one' },
      };
      const event = anEvent({ delivery });
      await harness.claim(event);
      await harness.claim({ ...event, delivery: { id: 'msg_2', headers: {} } });

      expect(await store.delivery(event)).toEqual(delivery);
    });

    it('is undefined for an unknown event, and for one that was recorded without it', async () => {
      const event = anEvent();
      await harness.claim(event);

      expect(await harness.store.delivery?.(event)).toBeUndefined();
      expect(await harness.store.delivery?.(anEvent())).toBeUndefined();
    });
  });

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
