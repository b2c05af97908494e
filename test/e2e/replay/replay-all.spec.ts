import { describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { run } from '../../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { openSqlite } from '../../helpers/sqlite-files.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

/** In memory, because hundreds of events would be slow on disk. */
function aStore(): SqliteInboxStore {
  return new SqliteInboxStore({ database: openSqlite(':memory:') });
}

function inboxOf(app: INestApplication): ScalekitInbox {
  return app.get(ScalekitInbox, { strict: false });
}

describe.each(ADAPTERS)('a replay by filter, on %s', (_name, adapter) => {
  it('replays every matching event, beyond one page, and counts the outcomes', async () => {
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    await dispatcher.dispatch(aUserCreated());
    first.mockRejectedValue(new NonRetryableEventError('no tenant'));
    const dead = Array.from({ length: 102 }, () => aUserCreated());
    for (const event of dead) await dispatcher.dispatch(event);
    const stillDead = dead[7]?.id;
    first.mockReset().mockImplementation(async ({ id }) => {
      if (id === stillDead) throw new Error('broken');
    });

    expect(await inboxOf(app).replay({ state: 'dead' })).toEqual({ processed: 101, failed: 1 });
    expect(await inboxOf(app).replay({ state: 'dead' })).toEqual({});
    expect(await inboxOf(app).count({ state: 'failed' })).toBe(1);
  });

  it('ends even if every event fails again and new ones keep arriving', async () => {
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    first.mockRejectedValue(new Error('broken'));
    await dispatcher.dispatch(aUserCreated());
    await dispatcher.dispatch(aUserCreated());
    let arrivals = 0;
    first.mockImplementation(async ({ id }) => {
      if (!id.startsWith('evt_new'))
        await dispatcher.dispatch({ ...aUserCreated(), id: `evt_new${arrivals++}` });
      throw new Error('broken');
    });

    expect(await inboxOf(app).replay({ state: 'failed' })).toEqual({ failed: 2 });
    expect(first).toHaveBeenCalledTimes(6);
  });

  it('replays only the oldest events if it has a limit', async () => {
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    first.mockRejectedValue(new NonRetryableEventError('no tenant'));
    const events = [aUserCreated(), aUserCreated(), aUserCreated()];
    for (const event of events) await dispatcher.dispatch(event);
    first.mockReset();

    expect(await inboxOf(app).replay({ state: 'dead' }, { limit: 2 })).toEqual({ processed: 2 });
    expect(first.mock.calls.map(([event]) => event.id)).toEqual(events.slice(0, 2).map(({ id }) => id));
    expect(await inboxOf(app).count({ state: 'dead' })).toBe(1);
  });

  it('replays what a filter by handler, error and organization finds', async () => {
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    first.mockRejectedValue(new NonRetryableEventError('no tenant 42'));
    const event = aUserCreated();
    const other = { ...aUserCreated(), organization_id: 'org_other' };
    for (const sent of [event, other]) await dispatcher.dispatch(sent);
    first.mockReset();

    const filter = { handler: 'First.handle', error: 'TENANT 42', organizationId: 'org_other' };
    expect(await inboxOf(app).replay(filter)).toEqual({ processed: 1 });
    expect(first.mock.calls.map(([{ id }]) => id)).toEqual([other.id]);
    expect(await inboxOf(app).replay({ handler: 'Second.handle', state: 'dead' })).toEqual({});
  });

  it('begins as many events per second as its rate allows, and not more', async () => {
    holdClock();
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    for (let count = 0; count < 3; count += 1) await dispatcher.dispatch(aUserCreated());
    const startedAt: number[] = [];
    const begunAt = Date.now();
    first.mockImplementation(async () => {
      startedAt.push(Date.now() - begunAt);
    });

    const handlers = ['First.handle'];
    const replayed = inboxOf(app).replay({}, { handlers, rate: 0.5 });
    for (const expected of [1, 2, 3]) {
      await until(
        async () => {
          if (startedAt.length < expected) await jest.advanceTimersByTimeAsync(50);
          return startedAt.length;
        },
        (count) => count >= expected,
      );
    }

    expect(await replayed).toEqual({ processed: 3 });
    const [one = 0, two = 0, three = 0] = startedAt;
    for (const pause of [two - one, three - two]) {
      // A replay reads the inbox before its handler runs, while the held clock is moved on.
      expect(pause).toBeGreaterThan(1700);
      expect(pause).toBeLessThan(2300);
    }
  });

  it('stops waiting for its next event when the application closes', async () => {
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    for (let count = 0; count < 2; count += 1) await dispatcher.dispatch(aUserCreated());
    first.mockReset();

    const replayed = inboxOf(app).replay({}, { handlers: ['First.handle'], rate: 0.001 });
    await until(
      () => first.mock.calls.length,
      (count) => count === 1,
    );
    await app.close();

    expect(await replayed).toEqual({ processed: 1 });
  });

  it('runs a named handler again for all matching events', async () => {
    const { dispatcher, app, first, second } = await startScriptedApp(adapter, { inbox: aStore() });
    for (let count = 0; count < 3; count += 1) await dispatcher.dispatch(aUserCreated());

    const counts = await inboxOf(app).replay({ type: 'user.created' }, { handlers: ['Second.handle'] });

    expect(counts).toEqual({ processed: 3 });
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([3, 6]);
  });

  it('counts events whose payload is missing, and continues', async () => {
    const store = aStore();
    const { dispatcher, app } = await startScriptedApp(adapter, { inbox: store });
    const [kept, lost] = [aUserCreated(), aUserCreated()];
    for (const event of [kept, lost]) await dispatcher.dispatch(event);
    const payload = store.payload.bind(store);
    store.payload = async (key) => (key.eventId === lost.id ? undefined : payload(key));

    expect(await inboxOf(app).replay({})).toEqual({ duplicate: 1, payload_missing: 1 });
  });

  it('skips events that are pruned meanwhile', async () => {
    const store = aStore();
    const { dispatcher, app } = await startScriptedApp(adapter, { inbox: store });
    await dispatcher.dispatch(aUserCreated());
    store.payload = async () => {
      await store.prune(new Date(Date.now() + 1000));
      return undefined;
    };

    expect(await inboxOf(app).replay({})).toEqual({});
  });

  it('ends early when the application closes', async () => {
    const { dispatcher, app, first } = await startScriptedApp(adapter, { inbox: aStore() });
    first.mockRejectedValue(new Error('broken'));
    for (let count = 0; count < 3; count += 1) await dispatcher.dispatch(aUserCreated());
    const [gate, started] = [deferred(), deferred()];
    first.mockReset().mockImplementation(() => {
      started.resolve();
      return gate.promise;
    });
    const replaying = inboxOf(app).replay({ state: 'failed' });
    await started.promise;

    const closing = app.close();
    gate.resolve();

    expect(await replaying).toEqual({ processed: 1 });
    await closing;
    expect(first).toHaveBeenCalledTimes(1);
  });
});

describe.each(ADAPTERS)('the inboxes of two endpoints with one store, on %s', (_name, adapter) => {
  const seen: string[] = [];

  class Handlers {
    @OnScalekitEvent('*')
    handle(_event: unknown, { endpoint }: { endpoint: string }) {
      seen.push(endpoint);
    }
  }

  it('list, count and replay only the events of their own endpoint', async () => {
    seen.length = 0;
    const inbox = aStore();
    const endpoints = ['staff', 'partners'].map((name) =>
      ScalekitWebhooksModule.forRoot({ inbox, signingSecret: SECRET, name, path: `webhooks/${name}` }),
    );
    const app = await run(adapter, { imports: endpoints, providers: [Handlers] });
    const event = createScalekitEvent('user.created');
    const other = createScalekitEvent('user.deleted');
    for (const endpoint of ['staff', 'partners']) {
      await new ScalekitWebhookTester(app, { endpoint }).deliver(event);
    }
    await new ScalekitWebhookTester(app, { endpoint: 'partners' }).deliver(other);
    const [staff, partners] = app.get(ScalekitInbox, { strict: false, each: true });
    if (!staff || !partners) throw new Error('each endpoint should have an inbox');
    seen.length = 0;

    expect((await staff.list()).entries.map(({ endpoint, eventId }) => [endpoint, eventId])).toEqual([
      ['staff', event.id],
    ]);
    expect((await partners.list({}, { limit: 1 })).entries).toHaveLength(1);
    expect([
      await staff.count(),
      await partners.count(),
      await partners.count({ type: 'user.deleted' }),
    ]).toEqual([1, 2, 1]);
    expect(await staff.get(other.id)).toBeUndefined();
    await expect(staff.replay(other.id)).rejects.toMatchObject({ code: 'event_unknown' });
    const elsewhere: object = { endpoint: 'partners' };
    await expect(staff.replay(elsewhere)).rejects.toThrow('Unknown option "endpoint"');
    expect(await staff.replay({}, { handlers: ['Handlers.handle'] })).toEqual({ processed: 1 });
    expect(seen).toEqual(['staff']);
    expect(await partners.prune(new Date(Date.now() + 1000))).toBe(3);
  });
});
