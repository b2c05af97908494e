import type { InboxEvent, InboxFilter } from 'nestjs-scalekit-webhooks';
import {
  aLease,
  anEvent,
  type ConformanceRunner,
  FAILURE,
  type InboxBench,
  LEASE_MS,
} from './inbox-store.harness.js';

/** How events are told apart, and forgotten. */
export function describeKeys(bench: InboxBench, { describe, it, expect }: ConformanceRunner): void {
  describe('keys', () => {
    const ODD_IDS = [
      ':',
      '/',
      'a/b/../c',
      'a:b:c',
      'nul\u0000inside',
      'quote\'"`;--',
      '%_*?[a]',
      '{brace}',
      'ünïcödé-事件-🦊',
      'e\u0301',
      '\u00e9',
      ' padded ',
      'EVT_x',
      'evt_x',
      '__proto__',
      'i'.repeat(255),
      `${'i'.repeat(254)}j`,
    ];

    it('keep every event apart, whatever characters are in its id', async () => {
      for (const eventId of ODD_IDS) {
        expect(await bench.claim(anEvent({ eventId }))).toEqual({
          'A.run': { state: 'claimed', attempt: 1 },
        });
      }
      for (const eventId of ODD_IDS) {
        expect(await bench.store.get({ endpoint: 'default', eventId })).toMatchObject({ eventId });
      }
      expect(await bench.store.count()).toBe(ODD_IDS.length);
    });

    it('keep every handler apart, whatever characters are in its id', async () => {
      const event = anEvent();
      const lease = aLease();

      const claims = await bench.store.claim(event, ODD_IDS, lease);

      expect([...claims.keys()].sort()).toEqual([...ODD_IDS].sort());
      const settlements = ODD_IDS.map((handlerId) => ({ handlerId, state: 'done' as const }));
      expect([...(await bench.store.settle(event, settlements, lease))].sort()).toEqual([...ODD_IDS].sort());
    });

    it('keep the same event of two endpoints apart', async () => {
      const one = anEvent({ endpoint: 'one' });
      await bench.record(one, 'done');

      expect(await bench.claim({ ...one, endpoint: 'two' })).toEqual({
        'A.run': { state: 'claimed', attempt: 1 },
      });
      expect((await bench.entryOf(one)).runs).toMatchObject([{ state: 'done' }]);
    });

    for (const mark of [':', '\u0000', '/', '|', '.', '-']) {
      it(`cannot be confused by ${JSON.stringify(mark)} between endpoint and id`, async () => {
        await bench.record(anEvent({ endpoint: 'a', eventId: `${mark}b` }), 'done');

        expect(await bench.claim(anEvent({ endpoint: `a${mark}`, eventId: 'b' }))).toEqual({
          'A.run': { state: 'claimed', attempt: 1 },
        });
      });
    }
  });

  describe('prune', () => {
    it('forgets what was received before the time, and tells how much that was', async () => {
      const [first] = await bench.addEvents(2);
      await bench.advance(1000);
      const [kept] = await bench.addEvents(1);
      const { receivedAt } = await bench.entryOf({ endpoint: 'default', eventId: kept ?? '' });

      expect(await bench.store.prune(receivedAt)).toBe(2);
      expect(await bench.store.get({ endpoint: 'default', eventId: first ?? '' })).toBeUndefined();
      expect((await bench.store.list()).entries).toMatchObject([{ eventId: kept }]);
    });

    it('forgets the handlers of a forgotten event with it', async () => {
      const event = anEvent();
      await bench.record(event, 'done');
      const { receivedAt } = await bench.entryOf(event);
      await bench.store.prune(new Date(receivedAt.getTime() + 1));

      expect(await bench.claim(event)).toEqual({ 'A.run': { state: 'claimed', attempt: 1 } });
    });

    it('keeps an event with a run in progress until its lease has ended', async () => {
      const event = anEvent();
      await bench.claim(event);
      const { receivedAt } = await bench.entryOf(event);
      const later = new Date(receivedAt.getTime() + LEASE_MS * 10);

      expect(await bench.store.prune(later)).toBe(0);
      expect(await bench.store.get(event)).toBeDefined();
      await bench.advance(LEASE_MS + 1);
      expect(await bench.store.prune(later)).toBe(1);
    });
  });
}

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
