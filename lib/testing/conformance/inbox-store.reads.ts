import type { InboxFilter } from '../../inbox/inbox-queries.js';
import type { InboxEvent } from '../../inbox/inbox-store.js';
import {
  aLease,
  anEvent,
  type ConformanceHarness,
  type ConformanceRunner,
  FAILURE,
} from './inbox-store.harness.js';

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
}
