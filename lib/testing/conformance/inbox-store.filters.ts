import type { InboxFilter } from '../../inbox/inbox-queries.js';
import type { InboxEvent, RunSettlement } from '../../inbox/inbox-store.js';
import { aLease, anEvent, type ConformanceHarness, type ConformanceRunner } from './inbox-store.harness.js';

/** What entries can be found by, alone and together, on one page and over several. */
export function describeFilters(
  harness: ConformanceHarness,
  { describe, it, expect }: ConformanceRunner,
): void {
  /** Records an event with runs that have ended in these states. */
  const record = async (
    event: InboxEvent,
    runs: Readonly<Record<string, Omit<RunSettlement, 'handlerId'>>>,
  ) => {
    const lease = aLease();
    await harness.claim(event, lease, Object.keys(runs));
    const settlements = Object.entries(runs).map(([handlerId, end]) => ({ handlerId, ...end }));
    await harness.store.settle(event, settlements, lease);
    return event.eventId;
  };
  const failure = (name: string, message: string) => ({ state: 'failed', error: { name, message } }) as const;
  const DONE = { state: 'done' } as const;
  const DEAD = { state: 'dead', error: { name: 'Error', message: 'no tenant' } } as const;

  /** The ids that a filter finds: in one list, page by page, and as many as it counts. */
  const find = async (filter: InboxFilter): Promise<string[]> => {
    const ids = (await harness.store.list(filter)).entries.map(({ eventId }) => eventId);
    expect(await harness.pagesFrom(await harness.store.list(filter, { limit: 1 }), 1, filter)).toEqual(ids);
    expect(await harness.store.count(filter)).toBe(ids.length);
    return ids;
  };

  describe('filters', () => {
    it('find the entries of an organization, and those about an entity', async () => {
      const first = await record(anEvent({ organizationId: 'org_1', entity: 'user:usr_1' }), {
        'A.run': DONE,
      });
      const second = await record(anEvent({ organizationId: 'org_1', entity: 'user:usr_2' }), {});
      const third = await record(anEvent({ organizationId: 'org_2', entity: 'user:usr_1' }), {
        'A.run': DEAD,
      });
      await record(anEvent(), { 'A.run': DONE });

      expect(await find({ organizationId: 'org_1' })).toEqual([first, second]);
      expect(await find({ entity: 'user:usr_1' })).toEqual([first, third]);
      expect(await find({ entity: 'user:usr_1', organizationId: 'org_2' })).toEqual([third]);
      expect(await find({ organizationId: 'org_3' })).toEqual([]);
      expect(await find({ organizationId: 'org_1', state: 'done', handler: 'A.run' })).toEqual([first]);
      expect(await find({ organizationId: 'org_2', state: 'dead', error: 'tenant' })).toEqual([third]);
      expect(await find({ entity: 'user:usr_2', handler: 'A.run' })).toEqual([]);
    });

    it('find entries by a handler, whatever the state of its run', async () => {
      const one = await record(anEvent(), { 'A.run': DONE, 'B.run': DEAD });
      const other = await record(anEvent(), { 'B.run': DONE });
      await record(anEvent(), { 'a.run': DONE });

      expect(await find({ handler: 'A.run' })).toEqual([one]);
      expect(await find({ handler: 'B.run' })).toEqual([one, other]);
      expect(await find({ handler: 'B.run', type: 'user.deleted' })).toEqual([]);
      expect(await find({ handler: 'C.run' })).toEqual([]);
    });

    it('want one run to meet all conditions about runs', async () => {
      const mixed = await record(anEvent(), {
        'A.run': DONE,
        'B.run': DEAD,
        'C.run': failure('Error', 'busy'),
      });
      const dead = await record(anEvent(), { 'A.run': DEAD });

      expect(await find({ state: 'dead', handler: 'A.run' })).toEqual([dead]);
      expect(await find({ state: 'done', handler: 'A.run' })).toEqual([mixed]);
      expect(await find({ state: 'dead', handler: 'B.run', error: 'tenant' })).toEqual([mixed]);
      expect(await find({ state: 'dead', error: 'busy' })).toEqual([]);
      expect(await find({ handler: 'A.run', error: 'tenant' })).toEqual([dead]);
    });

    it('follow a run from state to state, and forget its error with it', async () => {
      const event = anEvent();
      await record(event, { 'A.run': DEAD });
      expect(await find({ state: 'dead', handler: 'A.run' })).toEqual([event.eventId]);

      await harness.store.reopen(event);
      expect(await find({ state: 'dead', handler: 'A.run' })).toEqual([]);
      expect(await find({ state: 'failed', handler: 'A.run', error: 'TENANT' })).toEqual([event.eventId]);
      await harness.store.dismiss(event);
      expect(await find({ state: 'done', error: 'tenant' })).toEqual([event.eventId]);
      await harness.store.reopen(event, ['A.run']);
      await harness.claim(event);
      expect(await find({ error: 'tenant' })).toEqual([]);
      expect(await find({ state: 'running', handler: 'A.run' })).toEqual([event.eventId]);
    });

    it('find the text of an error in its name and its message, whatever the case of A to Z', async () => {
      const type = await record(anEvent(), { 'A.run': failure('TypeError', 'x is undefined') });
      const range = await record(anEvent(), { 'A.run': failure('RangeError', 'The TYPE is unknown') });

      expect(await find({ error: 'type' })).toEqual([type, range]);
      expect(await find({ error: 'TYPEERROR' })).toEqual([type]);
      // The name and the message are two texts.
      expect(await find({ error: 'TypeErrorx' })).toEqual([]);
      expect(await find({ error: 'errorThe' })).toEqual([]);
    });

    it('take every character of an error as it is', async () => {
      const texts = [
        '100%',
        'a_b',
        'C:\\temp',
        'it\'s "so"',
        'Größe',
        'GRÖßE',
        '\u0000',
        '😀 \ud800',
        'x\ny',
        '\\u00e9 é',
      ];
      const ids: string[] = [];
      for (const text of texts) ids.push(await record(anEvent(), { 'A.run': failure('Error', `<${text}>`) }));

      for (const [index, text] of texts.entries())
        expect(await find({ error: `<${text}>` })).toEqual([ids[index]]);
      expect(await find({ error: '%' })).toEqual([ids[0]]);
      expect(await find({ error: '_' })).toEqual([ids[1]]);
      expect(await find({ error: '\\' })).toEqual([ids[2], ids[9]]);
      expect(await find({ error: 'GRÖ' })).toEqual([ids[5]]);
      // Letters and digits with which a store may write other characters.
      expect(await find({ error: 'f6' })).toEqual([]);
      expect(await find({ error: '00' })).toEqual([ids[0], ids[9]]);
    });

    it('compare all other texts exactly, whatever their characters', async () => {
      const texts = ['a%', 'a_', "a'", 'a"', 'a\\', 'a\u0000b', 'é', 'É', 'A', 'a:b', 'a b', '{}', '\ud800'];
      for (const text of texts) {
        const found = { type: text, organizationId: text, entity: text };
        const id = await record(anEvent(found), { [text]: DEAD });

        for (const filter of [
          { type: text },
          { organizationId: text },
          { entity: text },
          { handler: text },
          { ...found, handler: text, state: 'dead' } as const,
        ]) {
          expect(await find(filter)).toEqual([id]);
        }
      }
      expect(await find({ organizationId: 'a' })).toEqual([]);
    });

    it('find entries by the time at which they were received: from one time on, and before another', async () => {
      const ids: string[] = [];
      const times: Date[] = [];
      for (const _ of [1, 2, 3]) {
        const event = anEvent({ organizationId: 'org_1' });
        ids.push(await record(event, { 'A.run': DEAD }));
        times.push((await harness.entryOf(event)).receivedAt);
        await harness.advance(1000);
      }
      // The time of an entry can change while time passes.
      const current = (await harness.store.list()).entries.map(({ receivedAt }) => receivedAt);
      const [first, second, third] = current.map(Number).map((time) => new Date(time));

      expect(times).toHaveLength(3);
      for (const others of [
        {},
        { type: 'user.created' },
        { organizationId: 'org_1' },
        { handler: 'A.run' },
        { state: 'dead', error: 'tenant' } as const,
      ]) {
        expect(await find({ ...others, receivedAfter: second })).toEqual(ids.slice(1));
        expect(await find({ ...others, receivedBefore: second })).toEqual(ids.slice(0, 1));
        expect(await find({ ...others, receivedAfter: second, receivedBefore: third })).toEqual([ids[1]]);
        expect(await find({ ...others, receivedAfter: third, receivedBefore: first })).toEqual([]);
      }
      expect(await find({ receivedAfter: new Date(0), receivedBefore: new Date(8.64e15) })).toEqual(ids);
      expect(await find({ receivedAfter: new Date(-8.64e15), receivedBefore: new Date(-1) })).toEqual([]);
    });

    it('find entries hours apart by the time at which they were received', async () => {
      const [old] = await harness.addEvents(1);
      await harness.advance(3_600_000);
      const [recent] = await harness.addEvents(1);
      const newest = (await harness.store.list()).entries.at(-1)?.receivedAt ?? new Date(0);

      const between = new Date(newest.getTime() - 1_800_000);
      expect(await find({ receivedAfter: between })).toEqual([recent]);
      expect(await find({ receivedBefore: between })).toEqual([old]);
    });

    it('neither skip nor repeat an entry over pages while others are added and change', async () => {
      const ids: string[] = [];
      for (let number = 0; number < 7; number += 1) {
        ids.push(await record(anEvent({ organizationId: 'org_1' }), { 'A.run': DEAD, 'B.run': DEAD }));
        await record(anEvent({ type: 'user.deleted', organizationId: 'org_2' }), { 'A.run': DONE });
      }
      const filters: InboxFilter[] = [
        { organizationId: 'org_1' },
        { handler: 'B.run' },
        { state: 'dead' },
        { state: 'dead', handler: 'A.run' },
        { error: 'tenant' },
        { type: 'user.created', handler: 'A.run' },
      ];
      for (const filter of filters) {
        const first = await harness.store.list(filter, { limit: 3 });
        ids.push(await record(anEvent({ organizationId: 'org_1' }), { 'A.run': DEAD, 'B.run': DEAD }));

        expect(await harness.pagesFrom(first, 3, filter)).toEqual(ids);
      }
    });
  });
}
