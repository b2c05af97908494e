import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { type InboxStore, NonRetryableEventError, ScalekitInbox } from 'nestjs-scalekit-webhooks';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { redisInboxHarness } from '../../helpers/redis-inbox.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { describeWithService } from '../../helpers/services.js';
import { ADAPTERS } from '../../helpers/test-app.js';

/** The replays that work on every durable store. */
function describeReplays(store: () => InboxStore): void {
  describe.each(ADAPTERS)('on %s', (_name, adapter) => {
    it('runs dead handlers again, by id and by filter', async () => {
      const { app, dispatcher, first, second } = await startScriptedApp(adapter, { inbox: store() });
      const inbox = app.get(ScalekitInbox, { strict: false });
      first.mockRejectedValue(new NonRetryableEventError('no tenant'));
      const events = [aUserCreated(), aUserCreated(), aUserCreated()].map((event) => ({
        ...event,
        id: `evt_${randomUUID()}`,
      }));
      for (const event of events) await dispatcher.dispatch(event);
      first.mockReset();

      expect((await inbox.replay(events[1]?.id ?? '')).outcome).toBe('processed');
      expect(await inbox.count({ state: 'dead' })).toBe(2);
      expect(await inbox.replay({ state: 'dead' })).toEqual({ processed: 2 });

      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([3, 3]);
      expect(first.mock.calls.map(([{ id }]) => id)).toEqual([1, 0, 2].map((index) => events[index]?.id));
      expect(await inbox.count({ state: 'done' })).toBe(3);
      expect(await inbox.prune(new Date('2999-01-01'))).toBe(3);
    });

    it('runs a handler that is done, if it is named', async () => {
      const { app, dispatcher, first, second } = await startScriptedApp(adapter, { inbox: store() });
      const inbox = app.get(ScalekitInbox, { strict: false });
      const event = aUserCreated();
      await dispatcher.dispatch(event);

      const { handlers } = await inbox.replay(event.id, { handlers: ['Second.handle'] });

      expect(handlers).toEqual([{ handlerId: 'Second.handle', state: 'done' }]);
      expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 2]);
      expect(second.mock.calls[1]?.[0]).toEqual(second.mock.calls[0]?.[0]);
      await inbox.prune(new Date('2999-01-01'));
    });
  });
}

await describeWithService('postgres', 'Replays from Postgres', () => {
  const postgres = PostgresFixture.use();

  describeReplays(() => postgres.store);
});

await describeWithService('redis', 'Replays from Redis', (url) => {
  let client: Redis;
  let harness: ReturnType<typeof redisInboxHarness>;

  beforeAll(() => {
    client = new Redis(url);
    harness = redisInboxHarness(client);
  });

  afterEach(() => harness.dispose());

  afterAll(() => client.quit());

  describeReplays(() => harness.store);
});
