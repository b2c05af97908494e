import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type InboxEvent, MemoryInboxStore, type RunSettlement } from 'nestjs-scalekit-webhooks';

const LEASE_MS = 10_000;
const HOUR_MS = 60 * 60 * 1000;

function anEvent(eventId: string, endpoint = 'default'): InboxEvent {
  return {
    endpoint,
    eventId,
    type: 'user.created',
    occurredAt: '2026-01-01T00:00:00Z',
    payload: Buffer.alloc(0),
  };
}

function leaseOf(eventId: string) {
  return { token: eventId, durationMs: LEASE_MS };
}

async function start(store: MemoryInboxStore, ...eventIds: string[]): Promise<void> {
  for (const id of eventIds) await store.claim(anEvent(id), ['A.run'], leaseOf(id));
}

async function end(store: MemoryInboxStore, ...eventIds: string[]): Promise<void> {
  for (const id of eventIds) {
    await store.settle(anEvent(id), [{ handlerId: 'A.run', state: 'done' }], leaseOf(id));
  }
}

async function complete(store: MemoryInboxStore, ...eventIds: string[]): Promise<void> {
  for (const id of eventIds) {
    await start(store, id);
    await end(store, id);
  }
}

async function remembered(store: MemoryInboxStore): Promise<string[]> {
  return (await store.list({}, { limit: 1000 })).entries.map(({ eventId }) => eventId);
}

/** How many events the store checks for a run in progress while it claims a new one; it does so with `some`. */
async function checksToClaim(store: MemoryInboxStore): Promise<number> {
  const some = jest.spyOn(Array.prototype, 'some');
  await start(store, 'evt_new');
  const checks = some.mock.calls.length;
  some.mockRestore();
  return checks;
}

function ids(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}_${number}`);
}

describe('MemoryInboxStore when it is full', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('forgets an event that a run held back once that run has ended', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    await start(store, 'evt_running');
    await complete(store, 'evt_2', 'evt_3');
    await end(store, 'evt_running');
    expect(await remembered(store)).toEqual(['evt_running', 'evt_3']);

    await complete(store, 'evt_4');

    expect(await remembered(store)).toEqual(['evt_3', 'evt_4']);
  });

  it('forgets the oldest of the events that were held back first', async () => {
    const store = new MemoryInboxStore({ maxEvents: 3 });
    await start(store, 'evt_1', 'evt_2', 'evt_3', 'evt_4', 'evt_5');
    await end(store, 'evt_5', 'evt_3', 'evt_2', 'evt_1');

    await start(store, 'evt_6');

    expect(await remembered(store)).toEqual(['evt_4', 'evt_5', 'evt_6']);
  });

  it('returns to maxEvents at the next event, however many events were held back', async () => {
    const store = new MemoryInboxStore({ maxEvents: 10 });
    await start(store, ...ids(200, 'evt'));
    await end(store, ...ids(200, 'evt'));

    await complete(store, 'evt_new');

    expect(await store.count()).toBe(10);
    expect((await remembered(store)).at(-1)).toBe('evt_new');
  });

  it('forgets an event past its retention once its run has ended', async () => {
    const store = new MemoryInboxStore({ retentionMs: HOUR_MS });
    await store.claim(anEvent('evt_old'), ['A.run'], { token: 'evt_old', durationMs: 3 * HOUR_MS });
    jest.advanceTimersByTime(2 * HOUR_MS);
    await complete(store, 'evt_2');
    await end(store, 'evt_old');

    await complete(store, 'evt_3');

    expect(await remembered(store)).toEqual(['evt_2', 'evt_3']);
  });

  it('prunes and counts every event whose run has ended, however many were held back', async () => {
    const store = new MemoryInboxStore({ maxEvents: 1 });
    await start(store, ...ids(30, 'evt'));
    await end(store, ...ids(29, 'evt'));
    jest.advanceTimersByTime(1);

    expect(await store.prune(new Date())).toBe(29);
    expect(await remembered(store)).toEqual(['evt_29']);
  });

  it('lists events that were held back before later ones, page by page', async () => {
    const store = new MemoryInboxStore({ maxEvents: 4 });
    await start(store, 'evt_1');
    await complete(store, 'evt_2');
    await start(store, 'evt_3');
    await complete(store, 'evt_4', 'evt_5', 'evt_6', 'evt_7');

    const first = await store.list({}, { limit: 1 });
    const second = await store.list({}, { limit: 10, cursor: first.nextCursor ?? '' });

    expect([...first.entries, ...second.entries].map(({ eventId }) => eventId)).toEqual([
      'evt_1',
      'evt_3',
      'evt_6',
      'evt_7',
    ]);
  });

  it('retries a known event as its next attempt while there are more events than maxEvents', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    await start(store, 'evt_1', 'evt_2', 'evt_3', 'evt_4');
    await store.settle(anEvent('evt_1'), [{ handlerId: 'A.run', state: 'failed' }], leaseOf('evt_1'));

    const retry = await store.claim(anEvent('evt_1'), ['A.run'], leaseOf('retry'));

    expect(retry.get('A.run')).toEqual({ state: 'claimed', attempt: 2 });
  });

  it('checks no more events per claim when it is full than when it is nearly empty', async () => {
    const checksWhenFullOf = async (events: number) => {
      const store = new MemoryInboxStore({ maxEvents: events });
      await complete(store, ...ids(events, 'evt'));
      return checksToClaim(store);
    };

    const withTwo = await checksWhenFullOf(2);

    expect(withTwo).toBeGreaterThan(0);
    expect(await checksWhenFullOf(2000)).toBe(withTwo);
  });

  it('checks no more events per claim when a thousand runs are in progress than when ten are', async () => {
    const checksWithRuns = async (runs: number) => {
      const store = new MemoryInboxStore({ maxEvents: runs });
      await start(store, ...ids(runs, 'evt'));
      await complete(store, ...ids(3, 'done'));
      return checksToClaim(store);
    };

    const withTen = await checksWithRuns(10);

    expect(withTen).toBeGreaterThan(0);
    expect(withTen).toBeLessThan(10);
    expect(await checksWithRuns(1000)).toBe(withTen);
  });

  it('remembers the newest events after it has forgotten many times as many', async () => {
    const store = new MemoryInboxStore({ maxEvents: 700 });

    await complete(store, ...ids(5000, 'evt'));

    expect(await remembered(store)).toEqual(ids(5000, 'evt').slice(-700));
    expect(await store.get(anEvent('evt_4299'))).toBeUndefined();
    expect(await store.get(anEvent('evt_4300'))).toMatchObject({
      runs: [{ state: 'done', attempts: 1 }],
    });
  });
});

describe('MemoryInboxStore with a thousand handlers for one event', () => {
  const handlerIds = ids(1000, 'Handler');
  const event = anEvent('evt_1');
  const done = (handlerId: string): RunSettlement => ({ handlerId, state: 'done' });

  it('claims and settles each of them', async () => {
    const store = new MemoryInboxStore();
    const claims = await store.claim(event, handlerIds, leaseOf('evt_1'));
    expect([...claims.values()].every(({ state }) => state === 'claimed')).toBe(true);

    await store.settle(event, handlerIds.map(done), leaseOf('evt_1'));

    const again = await store.claim(event, handlerIds.toReversed(), leaseOf('another'));
    expect(again.size).toBe(1000);
    expect([...again.values()].every(({ state }) => state === 'done')).toBe(true);
  });

  it('keeps the runs in the order in which they were first claimed', async () => {
    const store = new MemoryInboxStore();
    await store.claim(event, handlerIds, leaseOf('evt_1'));

    await store.settle(event, handlerIds.toReversed().map(done), leaseOf('evt_1'));

    expect((await store.get(event))?.runs.map(({ handlerId }) => handlerId)).toEqual(handlerIds);
  });

  it('forgets the runs with their event', async () => {
    const store = new MemoryInboxStore({ maxEvents: 1 });
    await store.claim(event, handlerIds, leaseOf('evt_1'));
    await store.settle(event, handlerIds.map(done), leaseOf('evt_1'));

    await complete(store, 'evt_2', 'evt_3');

    expect((await store.get(anEvent('evt_3')))?.runs).toHaveLength(1);
  });
});

describe('MemoryInboxStore keeps what it is given', () => {
  it.each([
    ['an empty id', ''],
    ['a long id', `evt_${'1'.repeat(300)}`],
    ['an id with Latin-1 letters', 'évènement'],
    ['an id with letters beyond Latin-1', 'событие_🦊'],
  ])('%s', async (_, eventId) => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    const event = { ...anEvent(eventId), occurredAt: `2026-01-01T00:00:00Z ${eventId}` };
    await store.claim(event, ['A.run'], leaseOf(eventId));

    const entry = await store.get(event);

    expect(entry).toMatchObject({ eventId, occurredAt: event.occurredAt, type: event.type });
    expect(await store.claim(event, ['A.run'], leaseOf('another'))).toEqual(
      new Map([['A.run', { state: 'running', leaseEndsInMs: expect.any(Number) }]]),
    );
  });

  it('an event of one endpoint apart from the same event of another', async () => {
    const store = new MemoryInboxStore();
    await store.claim(anEvent('evt_1', 'one'), ['A.run'], leaseOf('evt_1'));

    expect(await store.get(anEvent('evt_1', 'two'))).toBeUndefined();
    expect(await store.list({ endpoint: 'two' })).toEqual({ entries: [] });
  });

  it('the error of one event among many without errors', async () => {
    const store = new MemoryInboxStore({ maxEvents: 3 });
    const error = { name: 'TypeError', message: 'tenant is undefined' };
    await start(store, 'evt_failed');
    await store.settle(
      anEvent('evt_failed'),
      [{ handlerId: 'A.run', state: 'failed', error }],
      leaseOf('evt_failed'),
    );
    await complete(store, 'evt_2', 'evt_3');

    const { entries } = await store.list({ state: 'failed' });

    expect(entries).toMatchObject([
      { eventId: 'evt_failed', runs: [{ state: 'failed', attempts: 1, error }] },
    ]);
    await complete(store, 'evt_4', 'evt_5', 'evt_6');
    expect(await store.count({ state: 'failed' })).toBe(0);
  });
});
