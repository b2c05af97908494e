import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { InboxEvent, RunSettlement } from 'nestjs-scalekit-webhooks';
import { RedisInboxStore } from '../../../lib/redis/index.js';
import { aLease, anEvent, FAILURE } from '../../conformance/inbox-store.harness.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { countRoundTrips } from '../../helpers/redis-round-trips.js';
import { describeWithService } from '../../helpers/services.js';

const RETENTION_MS = 60_000;

await describeWithService('redis', 'RedisInboxStore', (url) => {
  let client: Redis;
  let harness: ReturnType<typeof redisInboxHarness>;
  let store: RedisInboxStore;

  beforeAll(() => {
    client = new Redis(url);
  });

  beforeEach(() => {
    harness = redisInboxHarness(client, { retentionMs: RETENTION_MS });
    store = harness.store;
  });

  afterEach(() => harness.dispose());

  afterAll(() => client.quit());

  async function record(event: InboxEvent, end: Omit<RunSettlement, 'handlerId'>) {
    const lease = aLease();
    await store.claim(event, ['A.run'], lease);
    await store.settle(event, [{ handlerId: 'A.run', ...end }], lease);
  }

  describe('takes two round trips per delivery', () => {
    it.each([1, 50])('with %i handlers', async (count) => {
      await record(anEvent(), { state: 'done' });
      const handlerIds = Array.from({ length: count }, (_, number) => `Handler.${number}`);
      const [event, lease] = [anEvent(), aLease()];
      const roundTrips = countRoundTrips(client);

      await store.claim(event, handlerIds, lease);
      expect(roundTrips()).toBe(1);
      await store.settle(
        event,
        handlerIds.map((handlerId) => ({ handlerId, state: 'done' })),
        lease,
      );
      expect(roundTrips()).toBe(2);
      jest.restoreAllMocks();
    });
  });

  describe('takes the time only from the clock of the server', () => {
    afterEach(() => {
      jest.restoreAllMocks();
    });

    it.each([-240_000, 240_000])('if the clock of the process is %i ms off', async (skewMs) => {
      const event = anEvent();
      await store.claim(event, ['A.run'], aLease());
      const receivedAt = (await store.get(event))?.receivedAt;
      const now = Date.now() + skewMs;
      jest.spyOn(Date, 'now').mockReturnValue(now);

      const claims = await store.claim(event, ['A.run'], aLease());

      expect(claims.get('A.run')?.state).toBe('running');
      expect((await store.get(event))?.receivedAt).toEqual(receivedAt);
    });
  });

  describe('keeps the payload', () => {
    it('of 1 MB byte for byte', async () => {
      const event = anEvent({ payload: randomBytes(1024 * 1024) });

      await record(event, { state: 'done' });

      expect(Buffer.compare((await store.payload(event)) ?? Buffer.of(), event.payload)).toBe(0);
    });

    it('if it is part of a larger buffer', async () => {
      const event = anEvent({ payload: new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4) });

      await record(event, { state: 'done' });

      expect([...((await store.payload(event)) ?? [])]).toEqual([2, 3, 4]);
    });

    it('of the first delivery of an event', async () => {
      const event = anEvent();
      await record(event, { state: 'failed', error: FAILURE });

      await store.claim({ ...event, payload: Buffer.from('other') }, ['A.run'], aLease());

      expect(await store.payload(event)).toEqual(event.payload);
    });

    it('until the event is pruned', async () => {
      const event = anEvent();
      await record(event, { state: 'done' });

      await store.prune(new Date(Date.now() + RETENTION_MS));

      expect(await store.payload(event)).toBeUndefined();
      expect(await harness.keys()).toEqual([]);
    });
  });

  describe('deletes an event', () => {
    it('after retentionMs, and removes it from the indexes', async () => {
      await record(anEvent(), { state: 'failed', error: FAILURE });
      await harness.advance(RETENTION_MS + 1);

      expect(await store.count()).toBe(0);
      expect(await store.count({ state: 'failed' })).toBe(0);
      expect(await store.list()).toEqual({ entries: [] });
      expect(await harness.keys()).toEqual([]);
    });

    it('not while it is still claimed or settled', async () => {
      const [event, lease] = [anEvent(), aLease({ durationMs: RETENTION_MS * 2 })];
      await store.claim(event, ['A.run'], lease);
      await harness.advance(RETENTION_MS - 10_000);
      await store.settle(event, [{ handlerId: 'A.run', state: 'failed', error: FAILURE }], lease);
      await harness.advance(RETENTION_MS - 10_000);
      await store.claim(event, ['A.run'], lease);
      await harness.advance(RETENTION_MS - 10_000);

      expect(await store.get(event)).toMatchObject({ runs: [{ attempts: 2 }] });
      expect(await store.payload(event)).toEqual(event.payload);
    });

    it('from the indexes of a bucket with the next claim, even if nobody reads them', async () => {
      const events = Array.from({ length: 20 }, () => anEvent());
      for (const event of events) await record(event, { state: 'dead', error: FAILURE });
      await harness.advance(RETENTION_MS + 1);
      await Promise.all(Array.from({ length: 500 }, () => store.claim(anEvent(), ['A.run'], aLease())));

      const indexes = (await harness.keys()).filter((key) => key.endsWith(':dead'));
      expect(indexes).toEqual([]);
    });

    it('from the indexes if list finds it deleted by hand', async () => {
      const [gone, kept] = [anEvent(), anEvent()];
      await record(gone, { state: 'done' });
      await record(kept, { state: 'done' });
      const hash = (await harness.keys()).find((key) => key.endsWith(`event:default:${gone.eventId}`));
      await client.del(hash ?? '');

      expect((await store.list()).entries).toMatchObject([{ eventId: kept.eventId }]);
      expect(await store.count()).toBe(1);
    });
  });

  describe('lists', () => {
    it('in the order of receipt across all buckets, page by page', async () => {
      const ids = Array.from({ length: 120 }, (_, number) => `evt_${number}`);
      for (const eventId of ids) await store.claim(anEvent({ eventId }), ['A.run'], aLease());

      for (const limit of [1, 7, 119, 500]) {
        const found: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await store.list({}, { limit, ...(cursor && { cursor }) });
          found.push(...page.entries.map(({ eventId }) => eventId));
          cursor = page.nextCursor;
        } while (cursor);
        expect(found).toEqual(ids);
      }
    });

    it('an event only under its current state', async () => {
      const event = anEvent();
      const counts = async () =>
        Object.fromEntries(
          await Promise.all(
            (['running', 'queued', 'failed', 'dead', 'done'] as const).map(
              async (state) => [state, await store.count({ state })] as const,
            ),
          ),
        );
      const none = { running: 0, queued: 0, failed: 0, dead: 0, done: 0 };

      for (const state of ['queued', 'failed', 'dead', 'done'] as const) {
        const lease = aLease({ takesOver: 'any' });
        await store.reopen(event, ['A.run']);
        await store.claim(event, ['A.run'], lease);
        expect(await counts()).toEqual({ ...none, running: 1 });
        await store.settle(event, [{ handlerId: 'A.run', state }], lease);
        expect(await counts()).toEqual({ ...none, [state]: 1 });
      }
    });

    it('the events with an error text, and reads hardly any others', async () => {
      const refused = anEvent();
      for (let number = 0; number < 100; number += 1)
        await record(anEvent(), { state: 'dead', error: FAILURE });
      await record(refused, { state: 'dead', error: { name: 'Error', message: 'connection refused' } });
      const reads = jest.spyOn(client, 'hgetall');

      const { entries } = await store.list({ error: 'REFUSED' });

      expect(entries).toMatchObject([{ eventId: refused.eventId }]);
      // The event itself, and the last one of each bucket.
      expect(reads.mock.calls.length).toBeLessThanOrEqual(17);
      reads.mockRestore();
    });

    it('the events with an error text that a version without an index of these texts has stored', async () => {
      const [event, other] = [anEvent(), anEvent()];
      await record(event, { state: 'dead', error: FAILURE });
      await record(other, { state: 'dead', error: { name: 'Error', message: 'another' } });
      for (const key of (await harness.keys()).filter((name) => name.endsWith(':labels'))) {
        const labels = Object.entries(await client.hgetall(key));
        for (const [member, label] of labels) await client.hset(key, member, label.split('\n')[0] ?? '');
      }

      expect((await store.list({ error: FAILURE.message })).entries).toMatchObject([
        { eventId: event.eventId },
      ]);
    });

    it('nothing for a cursor that it did not return', async () => {
      await expect(store.list({}, { cursor: 'elsewhere' })).rejects.toMatchObject({ setting: 'cursor' });
    });
  });

  it('shares its events with a store of the same prefix', async () => {
    const other = new RedisInboxStore({ client, application: 'test', keyPrefix: harness.keyPrefix });
    const event = anEvent();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, number) =>
        (number % 2 ? store : other).claim(event, ['A.run'], aLease()),
      ),
    );

    expect(answers.filter((claims) => claims.get('A.run')?.state === 'claimed')).toHaveLength(1);
  });

  it('shares nothing with a store of another prefix', async () => {
    const other = redisInboxHarness(client);
    const event = anEvent();
    await record(event, { state: 'done' });

    expect(await other.store.get(event)).toBeUndefined();
    expect(await other.store.count()).toBe(0);
    await other.dispose();
  });

  it('works with a client that has its own key prefix', async () => {
    const prefixed = new Redis(url, { keyPrefix: `${harness.keyPrefix}:app:` });
    const inbox = new RedisInboxStore({ client: prefixed, application: 'test', keyPrefix: 'inbox' });
    const event = anEvent();
    await inbox.claim(event, ['A.run'], aLease());

    expect((await inbox.list()).entries).toMatchObject([{ eventId: event.eventId }]);
    expect(await inbox.payload(event)).toEqual(event.payload);
    expect(await store.count()).toBe(0);
    await prefixed.quit();
  });

  it('does not close the client', async () => {
    await store.close();

    expect(await client.ping()).toBe('PONG');
  });
});
