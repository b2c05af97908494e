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

  it('forgets the oldest event when a new one would exceed maxEvents', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });

    for (const id of ['evt_1', 'evt_2', 'evt_3']) await complete(store, id);

    expect(await remembered(store)).toEqual(['evt_2', 'evt_3']);
  });

  it('gives a run that failed after its completion back to the workers', async () => {
    const store = new MemoryInboxStore();
    const request = { endpoint: 'default', handlerIds: ['A.run'], limit: 1 };
    const lease = { token: 'first', durationMs: 1000 };
    await store.enqueue(anEvent('evt_1'), ['A.run']);
    await store.takeDue({ ...request, lease });
    await store.transaction(anEvent('evt_1'), 'A.run', lease, async () => {});
    const next = { ...request, lease: { token: 'second', durationMs: 1000 } };
    jest.advanceTimersByTime(1001);
    expect((await store.takeDue(next)).runs).toEqual([]);

    await store.settle(anEvent('evt_1'), [{ handlerId: 'A.run', state: 'failed' }], lease);

    expect((await store.takeDue(next)).runs).toMatchObject([{ eventId: 'evt_1', attempt: 2 }]);
  });

  it('forgets nothing when it already knows the event', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });

    for (const id of ['evt_1', 'evt_2', 'evt_2']) await complete(store, id);

    expect(await remembered(store)).toEqual(['evt_1', 'evt_2']);
  });

  it('forgets the next oldest event when the oldest has a run in progress', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    await start(store, 'evt_running');

    for (const id of ['evt_2', 'evt_3']) await complete(store, id);

    expect(await remembered(store)).toEqual(['evt_running', 'evt_3']);
  });

  it('exceeds maxEvents rather than forget an event with a run in progress', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });

    for (const id of ['evt_1', 'evt_2', 'evt_3', 'evt_4']) await start(store, id);

    expect(await remembered(store)).toEqual(['evt_1', 'evt_2', 'evt_3', 'evt_4']);
  });

  it('returns to maxEvents once the leases of the runs have ended', async () => {
    const store = new MemoryInboxStore({ maxEvents: 2 });
    for (const id of ['evt_1', 'evt_2', 'evt_3', 'evt_4']) await start(store, id);
    jest.advanceTimersByTime(1000);

    await complete(store, 'evt_5');

    expect(await remembered(store)).toEqual(['evt_4', 'evt_5']);
  });

  it('forgets events that are older than retentionMs', async () => {
    const store = new MemoryInboxStore({ retentionMs: HOUR_MS });
    await complete(store, 'evt_old');
    jest.advanceTimersByTime(HOUR_MS);
    await complete(store, 'evt_at_the_limit');
    jest.advanceTimersByTime(1);

    await complete(store, 'evt_new');

    expect(await remembered(store)).toEqual(['evt_at_the_limit', 'evt_new']);
  });

  it('remembers an event past its retention as long as a run is in progress', async () => {
    const store = new MemoryInboxStore({ retentionMs: HOUR_MS });
    await start(store, 'evt_running', 2 * HOUR_MS);
    jest.advanceTimersByTime(HOUR_MS + 1);

    await complete(store, 'evt_new');

    expect(await remembered(store)).toEqual(['evt_running', 'evt_new']);
  });

  it('by default remembers events for longer than the 28 hours of Scalekit retries', async () => {
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
  ])('rejects %j and names the option', (options) => {
    const [setting] = Object.keys(options);

    expect(() => new MemoryInboxStore(options)).toThrow(ScalekitWebhooksConfigurationError);
    expect(() => new MemoryInboxStore(options)).toThrow(expect.objectContaining({ setting }));
  });
});
