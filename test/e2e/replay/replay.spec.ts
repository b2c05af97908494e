import { describe, expect, it, jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import {
  type InboxStore,
  MemoryInboxStore,
  NonRetryableEventError,
  ScalekitInbox,
  type ScalekitInboxFilter,
  scalekitEventEntity,
} from 'nestjs-scalekit-webhooks';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { aUserCreated, type ScriptedApp, startScriptedApp } from '../../helpers/scripted-app.js';
import { openSqlite, sqliteFile } from '../../helpers/sqlite-files.js';
import { ADAPTERS } from '../../helpers/test-app.js';

async function aStore(): Promise<SqliteInboxStore> {
  return new SqliteInboxStore({ database: openSqlite(await sqliteFile()) });
}

function inboxOf(app: INestApplication): ScalekitInbox {
  return app.get(ScalekitInbox, { strict: false });
}

/** The state of each run of an event, by handler. */
async function states(inbox: ScalekitInbox, eventId: string): Promise<Record<string, string>> {
  const handlers = (await inbox.get(eventId))?.runs ?? [];
  return Object.fromEntries(handlers.map(({ handlerId, state }) => [handlerId, state]));
}

function runs({ first, second }: ScriptedApp): [number, number] {
  return [first.mock.calls.length, second.mock.calls.length];
}

describe.each(ADAPTERS)('a replay of an event, on %s', (_name, adapter) => {
  async function start(inbox?: InboxStore) {
    const bench = await startScriptedApp(adapter, { inbox: inbox ?? (await aStore()) });
    return { ...bench, replayer: inboxOf(bench.app) };
  }

  it('runs a dead handler again, but not one that is done', async () => {
    const bench = await start();
    const event = aUserCreated();
    bench.first.mockRejectedValueOnce(new NonRetryableEventError('no tenant'));
    await bench.scalekit.deliver(event);

    const result = await bench.replayer.replay(event.id);

    expect(result.outcome).toBe('processed');
    expect(result.handlers).toEqual([
      { handlerId: 'First.handle', state: 'done' },
      { handlerId: 'Second.handle', state: 'already_done' },
    ]);
    expect(runs(bench)).toEqual([2, 1]);
    expect(await states(bench.replayer, event.id)).toEqual({
      'First.handle': 'done',
      'Second.handle': 'done',
    });
  });

  it('can be chosen by what the entry says about the event', async () => {
    const bench = await start();
    const event = aUserCreated();
    await bench.scalekit.deliver(event);

    expect(await bench.replayer.get(event.id)).toMatchObject({
      organizationId: event.organization_id,
      entity: scalekitEventEntity(event),
    });
  });

  it('passes the event on as it was received, as the next attempt', async () => {
    const { scalekit, replayer, first } = await start();
    const body = `${JSON.stringify(aUserCreated())}\n`;
    const { id } = JSON.parse(body);
    first.mockRejectedValueOnce(new Error('broken'));
    await scalekit.deliver(body);

    await replayer.replay(id);

    const [event, delivery] = first.mock.calls[1] ?? [];
    expect(event).toEqual(first.mock.calls[0]?.[0]);
    expect(delivery?.rawBody.toString()).toBe(body);
    expect(delivery?.attempt).toBe(2);
    expect(delivery?.idempotencyKey).toBe(first.mock.calls[0]?.[1].idempotencyKey);
  });

  it('runs only the named handlers, done or not', async () => {
    const bench = await start();
    const event = aUserCreated();
    bench.second.mockRejectedValueOnce(new Error('broken'));
    await bench.scalekit.deliver(event);

    const { outcome, handlers } = await bench.replayer.replay(event.id, { handlers: ['First.handle'] });

    expect({ outcome, handlers }).toEqual({
      outcome: 'processed',
      handlers: [{ handlerId: 'First.handle', state: 'done' }],
    });
    expect(runs(bench)).toEqual([2, 1]);
    expect(await states(bench.replayer, event.id)).toMatchObject({ 'Second.handle': 'failed' });
  });

  it('reports how a handler failed, and records the reason in the inbox', async () => {
    const { scalekit, replayer, first } = await start();
    const event = aUserCreated();
    first.mockRejectedValue(new Error('broken'));
    await scalekit.deliver(event);

    const { outcome, handlers } = await replayer.replay(event.id);

    expect(outcome).toBe('failed');
    expect(handlers[0]).toMatchObject({ state: 'failed', error: { message: 'broken' } });
    expect((await replayer.get(event.id))?.runs[0]).toMatchObject({ state: 'failed', attempts: 2 });
  });

  it('is a duplicate if everything is done', async () => {
    const bench = await start();
    const event = aUserCreated();
    await bench.scalekit.deliver(event);

    expect((await bench.replayer.replay(event.id)).outcome).toBe('duplicate');
    expect(runs(bench)).toEqual([1, 1]);
  });

  it('waits for a delivery in progress, then runs the named handlers', async () => {
    const bench = await start();
    const event = aUserCreated();
    const [gate, started] = [deferred(), deferred()];
    bench.second.mockImplementationOnce(() => {
      started.resolve();
      return gate.promise;
    });
    const answering = bench.scalekit.deliver(event);
    await started.promise;

    const replaying = bench.replayer.replay(event.id, { handlers: ['First.handle'] });
    gate.resolve();

    expect((await answering).status).toBe(201);
    expect((await replaying).outcome).toBe('processed');
    expect(runs(bench)).toEqual([2, 1]);
  });

  it('makes a delivery wait, which then runs what the replay did not', async () => {
    const bench = await start();
    const event = aUserCreated();
    bench.second.mockRejectedValueOnce(new Error('broken'));
    await bench.scalekit.deliver(event);
    const [gate, started] = [deferred(), deferred()];
    bench.first.mockImplementationOnce(() => {
      started.resolve();
      return gate.promise;
    });
    const replaying = bench.replayer.replay(event.id, { handlers: ['First.handle'] });
    await started.promise;

    const answering = bench.dispatcher.dispatch(event);
    gate.resolve();

    expect((await replaying).outcome).toBe('processed');
    expect((await answering).handlers).toEqual([
      { handlerId: 'First.handle', state: 'already_done' },
      { handlerId: 'Second.handle', state: 'done' },
    ]);
    expect(runs(bench)).toEqual([2, 2]);
  });

  it('does not touch a run in another process', async () => {
    const store = await aStore();
    const bench = await start(store);
    const event = aUserCreated();
    const key = { endpoint: 'default', eventId: event.id, type: event.type, occurredAt: event.occurred_at };
    const payload = Buffer.from(JSON.stringify(event));
    await store.claim({ ...key, payload }, ['First.handle'], { token: 'other', durationMs: 60_000 });

    const { outcome, handlers } = await bench.replayer.replay(event.id);

    expect(outcome).toBe('unavailable');
    expect(handlers.map(({ state }) => state)).toEqual(['running', 'done']);
    expect(runs(bench)).toEqual([0, 1]);
  });

  it('rejects with the reason if it cannot reopen the runs, and leaves the event to the next delivery', async () => {
    const store = await aStore();
    const bench = await start(store);
    const event = aUserCreated();
    bench.first.mockRejectedValueOnce(new Error('broken'));
    await bench.scalekit.deliver(event);
    Object.assign(store, { reopen: () => Promise.reject(new Error('out of reach')) });

    await expect(bench.replayer.replay(event.id)).rejects.toThrow('out of reach');
    expect((await bench.scalekit.deliver(event)).status).toBe(201);
  });

  it('fails if the event was never received', async () => {
    const { replayer } = await start();

    await expect(replayer.replay('evt_none')).rejects.toMatchObject({
      code: 'event_unknown',
      message: expect.stringContaining('"evt_none"'),
    });
  });

  it('fails if a named handler does not exist', async () => {
    const { scalekit, replayer } = await start();
    const event = aUserCreated();
    await scalekit.deliver(event);

    await expect(replayer.replay(event.id, { handlers: ['First.gone'] })).rejects.toMatchObject({
      code: 'handler_unknown',
    });
  });

  it('fails with a memory inbox, and names the inboxes that keep payloads', async () => {
    const { scalekit, replayer } = await start(new MemoryInboxStore());
    const event = aUserCreated();
    await scalekit.deliver(event);

    const error = { code: 'payload_missing', message: expect.stringContaining('SqliteInboxStore') };
    await expect(replayer.replay(event.id)).rejects.toMatchObject(error);
    await expect(replayer.replay({})).rejects.toMatchObject(error);
    await expect(replayer.replay('evt_none')).rejects.toMatchObject({ code: 'event_unknown' });
  });

  it('runs nothing once the application has closed', async () => {
    const bench = await start();
    const event = aUserCreated();
    bench.first.mockRejectedValueOnce(new Error('broken'));
    await bench.scalekit.deliver(event);
    await bench.app.close();

    expect((await bench.replayer.replay(event.id)).outcome).toBe('unavailable');
    expect(await bench.replayer.replay({})).toEqual({});
    expect(bench.first).toHaveBeenCalledTimes(1);
  });
});

describe.each(ADAPTERS)('ScalekitInbox, on %s', (_name, adapter) => {
  async function startWithDeadRun() {
    const bench = await startScriptedApp(adapter, { inbox: await aStore() });
    const event = aUserCreated();
    bench.first.mockRejectedValueOnce(new NonRetryableEventError('no tenant'));
    await bench.scalekit.deliver(event);
    return { ...bench, event, inbox: inboxOf(bench.app) };
  }

  it('dismisses a dead run, so that later deliveries are duplicates', async () => {
    const { inbox, event, scalekit, first, second } = await startWithDeadRun();

    expect(await inbox.dismiss(event.id)).toEqual(['First.handle']);

    expect(await states(inbox, event.id)).toEqual({ 'First.handle': 'done', 'Second.handle': 'done' });
    expect((await scalekit.deliver(event)).body).toMatchObject({ status: 'duplicate' });
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 1]);
  });

  it('dismisses nothing if the event or the run of a named handler does not exist', async () => {
    const { inbox, event } = await startWithDeadRun();

    await expect(inbox.dismiss('evt_none')).rejects.toMatchObject({ code: 'event_unknown' });
    await expect(inbox.dismiss(event.id, ['First.handel'])).rejects.toMatchObject({
      code: 'handler_unknown',
    });
    expect(await inbox.dismiss(event.id, ['Second.handle'])).toEqual([]);
    expect(await inbox.count({ state: 'dead' })).toBe(1);
  });

  it('counts the runs of each handler by state', async () => {
    const { inbox, event } = await startWithDeadRun();

    const receivedAt = (await inbox.get(event.id))?.receivedAt;
    const counts = [...(await inbox.stats())].sort((a, b) => a.handlerId.localeCompare(b.handlerId));
    expect(counts).toEqual([
      {
        endpoint: 'default',
        handlerId: 'First.handle',
        state: 'dead',
        count: 1,
        oldestReceivedAt: receivedAt,
      },
      {
        endpoint: 'default',
        handlerId: 'Second.handle',
        state: 'done',
        count: 1,
        oldestReceivedAt: receivedAt,
      },
    ]);
    expect(await inbox.stats(['dead'])).toEqual([counts[0]]);
    await expect(inbox.stats(['died' as never])).rejects.toMatchObject({ setting: 'states' });
  });

  it('counts only the runs that match a filter', async () => {
    const { inbox, scalekit, event } = await startWithDeadRun();
    const other = aUserCreated();
    await scalekit.deliver(other);
    const counted = async (filter: ScalekitInboxFilter) => {
      const counts = await inbox.stats(filter);
      return counts.map(({ handlerId, state, count }) => `${count} ${handlerId} ${state}`).sort();
    };
    const dead = '1 First.handle dead';

    expect(await counted({ state: 'dead' })).toEqual([dead]);
    expect(await counted({ error: 'TENANT' })).toEqual([dead]);
    expect(await counted({ handler: 'First.handle', receivedAfter: new Date(0) })).toEqual([
      '1 First.handle dead',
      '1 First.handle done',
    ]);
    expect(await counted({ entity: scalekitEventEntity(event) })).toEqual([dead, '1 Second.handle done']);
    expect(await counted({ type: 'user.deleted' })).toEqual([]);
    await expect(inbox.stats({ state: 'died' as never })).rejects.toMatchObject({ setting: 'state' });
  });

  it('says whether the inbox can be used, and waits for it for 5 seconds', async () => {
    const store = await aStore();
    const { app } = await startScriptedApp(adapter, { inbox: store });
    const inbox = inboxOf(app);
    await inbox.ping();
    holdClock();
    const asked = jest.spyOn(store, 'ping').mockReturnValue(new Promise(() => {}));
    const pinged = inbox.ping();
    const refused = expect(pinged).rejects.toThrow('did not answer in time');
    await jest.advanceTimersByTimeAsync(5000);

    await refused;
    expect(asked).toHaveBeenCalledTimes(1);
  });
});
