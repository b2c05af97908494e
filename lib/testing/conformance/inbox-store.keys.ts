import type { ConformanceRunner } from './conformance-runner.js';
import { aLease, anEvent, type InboxBench, LEASE_MS } from './inbox-store.bench.js';

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
      expect((await bench.entryOf(one)).handlers).toMatchObject([{ state: 'done' }]);
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
