import type { InboxEvent, InboxFilter } from 'nestjs-scalekit-webhooks';
import type { ConformanceRunner } from './conformance-runner.js';
import { aLease, anEvent, FAILURE, type InboxBench } from './inbox-store.bench.js';

/** What people and programs read. */
export function describeReads(bench: InboxBench, { describe, it, expect }: ConformanceRunner): void {
  describe('reads', () => {
    it('find nothing for an event that was never received', async () => {
      expect(await bench.store.get(anEvent())).toBeUndefined();
      expect(await bench.store.list()).toEqual({ entries: [] });
      expect(await bench.store.count()).toBe(0);
    });

    it('never hold the payload', async () => {
      const event = anEvent();
      await bench.record(event, 'failed');

      const read = JSON.stringify([await bench.store.get(event), await bench.store.list()]);
      expect(read).toContain(FAILURE.message);
      expect(read).not.toContain('payload-marker');
    });

    it('list what get gives', async () => {
      const event = anEvent();
      await bench.record(event, 'failed');

      expect((await bench.store.list()).entries).toEqual([await bench.store.get(event)]);
    });

    it('list and count by endpoint, type and state, and by all of them at once', async () => {
      const failed = anEvent({ endpoint: 'one', type: 'user.created' });
      const done = anEvent({ endpoint: 'one', type: 'user.deleted' });
      const dead = anEvent({ endpoint: 'two', type: 'user.created' });
      const running = anEvent({ endpoint: 'two', type: 'user.deleted' });
      await bench.record(failed, 'failed');
      await bench.record(done, 'done');
      await bench.record(dead, 'dead');
      await bench.claim(running);

      const cases: [InboxFilter, InboxEvent[]][] = [
        [{}, [failed, done, dead, running]],
        [{ endpoint: 'one' }, [failed, done]],
        [{ type: 'user.created' }, [failed, dead]],
        [{ state: 'running' }, [running]],
        [{ endpoint: 'two', type: 'user.created', state: 'dead' }, [dead]],
        [{ endpoint: 'one', state: 'dead' }, []],
      ];
      for (const [filter, events] of cases) {
        const { entries } = await bench.store.list(filter);
        expect(entries.map(({ eventId }) => eventId)).toEqual(events.map(({ eventId }) => eventId));
        expect(await bench.store.count(filter)).toBe(events.length);
      }
    });

    it('find an entry by the state of any of its handlers, once', async () => {
      const event = anEvent();
      const lease = aLease();
      await bench.claim(event, lease, ['A.run', 'B.run', 'C.run']);
      await bench.store.settle(
        event,
        ['A.run', 'B.run'].map((handlerId) => ({ handlerId, state: 'done' as const })),
        lease,
      );

      expect(await bench.store.count({ state: 'done' })).toBe(1);
      expect((await bench.store.list({ state: 'running' })).entries).toHaveLength(1);
    });

    it('list page by page, oldest first', async () => {
      const ids = await bench.addEvents(5);

      const first = await bench.store.list({}, { limit: 2 });

      expect(first.entries).toHaveLength(2);
      expect(await bench.pagesFrom(first, 2)).toEqual(ids);
    });

    it('end a list with a page that has no cursor', async () => {
      await bench.addEvents(4);

      const first = await bench.store.list({}, { limit: 2 });
      const second = await bench.store.list({}, { limit: 2, cursor: first.nextCursor ?? '' });

      expect(second.entries).toHaveLength(2);
      expect(second.nextCursor).toBeUndefined();
    });

    it('list pages of 50 where no limit is given', async () => {
      await bench.addEvents(51);

      expect((await bench.store.list()).entries).toHaveLength(50);
    });

    it('list page by page within a filter', async () => {
      const wanted = await bench.addEvents(2, { type: 'user.created' });
      await bench.addEvents(2, { type: 'user.deleted' });
      wanted.push(...(await bench.addEvents(1, { type: 'user.created' })));
      const filter = { type: 'user.created' };

      expect(await bench.pagesFrom(await bench.store.list(filter, { limit: 1 }), 1, filter)).toEqual(wanted);
    });

    it('neither skip nor repeat an entry while others are added', async () => {
      const ids = await bench.addEvents(4);
      const first = await bench.store.list({}, { limit: 2 });
      ids.push(...(await bench.addEvents(2)));

      expect(await bench.pagesFrom(first, 2)).toEqual(ids);
    });

    it('neither skip nor repeat an entry while others are forgotten', async () => {
      const old = await bench.addEvents(3);
      await bench.advance(1000);
      const recent = await bench.addEvents(3);
      const first = await bench.store.list({}, { limit: 2 });
      const { receivedAt } = await bench.entryOf({ endpoint: 'default', eventId: recent[0] ?? '' });
      await bench.store.prune(receivedAt);

      expect(await bench.pagesFrom(first, 2)).toEqual([...old.slice(0, 2), ...recent]);
    });
  });

  describe('payload', () => {
    it('is the exact bytes that were received first, where the store keeps any', async () => {
      const event = anEvent({ payload: Buffer.from([0x7b, 0x00, 0xff, 0xfe, 0x0d, 0x0a, 0x7d]) });
      await bench.claim(event);
      await bench.claim({ ...event, payload: Buffer.from('{}') });

      const payload = await bench.store.payload(event);

      expect([undefined, Buffer.from(event.payload).toString('hex')]).toContain(
        payload && Buffer.from(payload).toString('hex'),
      );
    });

    it('is none for an event that was never received', async () => {
      expect(await bench.store.payload(anEvent())).toBeUndefined();
    });
  });
}
