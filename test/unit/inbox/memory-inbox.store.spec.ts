import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type InboxEvent,
  MemoryInboxStore,
  ScalekitWebhooksConfigurationError,
} from 'nestjs-scalekit-webhooks';

const HOUR_MS = 60 * 60 * 1000;

function anEvent(eventId: string): InboxEvent {
  return {
    endpoint: 'default',
    eventId,
    type: 'user.created',
    occurredAt: '2026-01-01T00:00:00Z',
    payload: Buffer.from('{}'),
  };
}

async function start(store: MemoryInboxStore, eventId: string, durationMs = 1000) {
  const lease = { token: eventId, durationMs };
  await store.claim(anEvent(eventId), ['A.run'], lease);
  return lease;
}

async function complete(store: MemoryInboxStore, eventId: string): Promise<void> {
  const lease = await start(store, eventId);
  await store.settle(anEvent(eventId), [{ handlerId: 'A.run', state: 'done' }], lease);
}

async function remembered(store: MemoryInboxStore): Promise<string[]> {
  return (await store.list()).entries.map(({ eventId }) => eventId);
}

describe('MemoryInboxStore', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('forgets the oldest event when it has as many as it may', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });

    for (const id of ['evt_1', 'evt_2', 'evt_3']) await complete(store, id);

    expect(await remembered(store)).toEqual(['evt_2', 'evt_3']);
  });

  it('makes no room for an event that it knows', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });

    for (const id of ['evt_1', 'evt_2', 'evt_2']) await complete(store, id);

    expect(await remembered(store)).toEqual(['evt_1', 'evt_2']);
  });

  it('forgets another event in place of one with a run in progress', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    await start(store, 'evt_running');

    for (const id of ['evt_2', 'evt_3']) await complete(store, id);

    expect(await remembered(store)).toEqual(['evt_running', 'evt_3']);
  });

  it('takes more events than its bound rather than forget a run in progress', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });

    for (const id of ['evt_1', 'evt_2', 'evt_3', 'evt_4']) await start(store, id);

    expect(await remembered(store)).toEqual(['evt_1', 'evt_2', 'evt_3', 'evt_4']);
  });

  it('comes back to its bound once the runs that exceeded it have ended', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    for (const id of ['evt_1', 'evt_2', 'evt_3', 'evt_4']) await start(store, id);
    jest.advanceTimersByTime(1000);

    await complete(store, 'evt_5');

    expect(await remembered(store)).toEqual(['evt_4', 'evt_5']);
  });

  it('forgets events that are older than its age', async () => {
    const store = new MemoryInboxStore({ retentionMs: HOUR_MS });
    await complete(store, 'evt_old');
    jest.advanceTimersByTime(HOUR_MS);
    await complete(store, 'evt_at_the_bound');
    jest.advanceTimersByTime(1);

    await complete(store, 'evt_new');

    expect(await remembered(store)).toEqual(['evt_at_the_bound', 'evt_new']);
  });

  it('remembers an old event as long as a run of it is in progress', async () => {
    const store = new MemoryInboxStore({ retentionMs: HOUR_MS });
    await start(store, 'evt_running', 2 * HOUR_MS);
    jest.advanceTimersByTime(HOUR_MS + 1);

    await complete(store, 'evt_new');

    expect(await remembered(store)).toEqual(['evt_running', 'evt_new']);
  });

  it('remembers events for longer than the 28 hours of retries unless told otherwise', async () => {
    const store = new MemoryInboxStore();
    await complete(store, 'evt_1');
    jest.advanceTimersByTime(28 * HOUR_MS);

    await complete(store, 'evt_2');

    expect(await remembered(store)).toEqual(['evt_1', 'evt_2']);
  });

  it.each([
    { maxEvents: 0 },
    { maxEvents: -1 },
    { maxEvents: 1.5 },
    { maxEvents: Number.NaN },
    { retentionMs: 0 },
    { retentionMs: Number.POSITIVE_INFINITY },
  ])('refuses the bound %j, and names it', (bounds) => {
    const [setting] = Object.keys(bounds);

    expect(() => new MemoryInboxStore(bounds)).toThrow(ScalekitWebhooksConfigurationError);
    expect(() => new MemoryInboxStore(bounds)).toThrow(expect.objectContaining({ setting }));
  });

  it('looks at no more entries to claim an event when it is full than when it is all but empty', async () => {
    const [full, small] = [new MemoryInboxStore({ maxEvents: 2000 }), new MemoryInboxStore({ maxEvents: 2 })];
    for (let number = 0; number < 2000; number += 1) await complete(full, `evt_${number}`);
    for (let number = 0; number < 2; number += 1) await complete(small, `evt_${number}`);

    const steps = async (store: MemoryInboxStore) => {
      const iterator = new Map<string, object>()[Symbol.iterator]();
      const next = jest.spyOn(Object.getPrototypeOf(iterator), 'next');
      await start(store, 'evt_new');
      const count = next.mock.calls.length;
      next.mockRestore();
      return count;
    };

    const inSmall = await steps(small);
    expect(inSmall).toBeGreaterThan(0);
    expect(await steps(full)).toBe(inSmall);
  });
});
