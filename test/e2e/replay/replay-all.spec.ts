import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { run } from '../../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { openSqlite } from '../../helpers/sqlite-files.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

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
