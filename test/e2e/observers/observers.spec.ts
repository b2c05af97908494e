import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import {
  InboxTransport,
  NonRetryableEventError,
  type ObservedRun,
  OnScalekitEvent,
  ScalekitObserver,
  ScalekitWebhooksModule,
  type ScalekitWebhooksObserver,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { RecordingObserver } from '../../helpers/recording-observer.js';
import { runOnExpress } from '../../helpers/running-app.js';
import { aUserCreated, startScriptedApp } from '../../helpers/scripted-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';
import { FAST, startHandlers } from '../background/background-app.js';
import { eventOf, MINUTE, sqliteInbox, startRecoveryApp } from '../recovery/recovery-app.js';

@ScalekitObserver()
class Alerts extends RecordingObserver {}

@ScalekitObserver()
@Injectable({ scope: Scope.REQUEST })
class ScopedAlerts extends RecordingObserver {}

class Users {
  @OnScalekitEvent('user.created')
  created() {}
}

describe.each(ADAPTERS)('An observer, on %s', (_name, adapter) => {
  it('is told how a delivery was answered and how its runs ended', async () => {
    const observer = new RecordingObserver();
    const { scalekit, first } = await startScriptedApp(adapter, { observers: [observer] });
    first.mockRejectedValueOnce(new Error('no such tenant'));
    const event = aUserCreated();

    await scalekit.deliver(event);

    const { id: eventId, type, occurred_at: occurredAt } = event;
    const ofEvent = { endpoint: 'default', eventId, type, occurredAt };
    const run = { ...ofEvent, attempt: 1, source: 'request', durationMs: expect.any(Number) };
    expect(observer.runs).toHaveLength(2);
    expect(observer.runs).toEqual(
      expect.arrayContaining([
        { ...run, handlerId: 'Second.handle', state: 'done' },
        {
          ...run,
          handlerId: 'First.handle',
          state: 'failed',
          error: { name: 'Error', message: 'no such tenant' },
        },
      ]),
    );
    expect(observer.deliveries).toEqual([
      { ...ofEvent, outcome: 'failed', status: 500, durationMs: expect.any(Number), issues: [] },
    ]);
  });

  it('is told about a delivery that was refused, but nothing that it claims', async () => {
    const observer = new RecordingObserver();
    const { scalekit } = await startScriptedApp(adapter, { observers: [observer], environmentId: 'env_1' });

    await scalekit.deliver(aUserCreated(), { secret: 'whsec_b3RoZXItc2VjcmV0LW9mLWFub3RoZXItZW5kcG9pbnQ=' });
    await scalekit.deliver('{}');
    const elsewhere = { ...aUserCreated(), environment_id: 'env_2' };
    await scalekit.deliver(elsewhere);

    const refused = { endpoint: 'default', durationMs: expect.any(Number), issues: [] };
    expect(observer.deliveries).toEqual([
      { ...refused, outcome: 'unauthenticated', status: 401 },
      { ...refused, outcome: 'invalid_event', status: 400 },
      {
        ...refused,
        outcome: 'wrong_environment',
        status: 403,
        eventId: elsewhere.id,
        type: 'user.created',
        occurredAt: elsewhere.occurred_at,
      },
    ]);
  });

  it('is told which fields differ from the documented types', async () => {
    const observer = new RecordingObserver();
    const { scalekit } = await startScriptedApp(adapter, { observers: [observer], validation: 'lenient' });
    const event = { ...aUserCreated(), data: { user: { id: 1 } } };

    await scalekit.deliver(event);

    expect(observer.deliveries[0]?.issues).toContainEqual({ path: 'data.user.id', rule: 'isString' });
  });

  it('never gets a payload', async () => {
    const observer = new RecordingObserver();
    const { scalekit } = await startScriptedApp(adapter, { observers: [observer] });
    const event = createScalekitEvent('user.created', { data: { user: { email: 'ada@example.com' } } });

    await scalekit.deliver(event);

    expect(observer.runs).toHaveLength(2);
    expect(JSON.stringify(observer.told)).not.toContain('ada@example.com');
  });

  it.each<[string, ScalekitWebhooksObserver]>([
    [
      'throws',
      everyMethod(() => {
        throw new Error('broken');
      }),
    ],
    [
      'rejects',
      everyMethod(async () => {
        throw new Error('broken');
      }),
    ],
    ['never ends', everyMethod(() => new Promise(() => {}))],
    [
      'calls its work twice, and throws',
      everyMethod((...args) => {
        const work = args.at(-1);
        if (typeof work === 'function') [work(), work()];
        throw new Error('broken');
      }),
    ],
  ])('changes nothing if it %s', async (_how, broken) => {
    const observer = new RecordingObserver();
    const { scalekit, first, second, logger } = await startScriptedApp(adapter, {
      observers: [broken, observer, broken],
    });

    const answers = [await scalekit.deliver(aUserCreated()), await scalekit.deliver(aUserCreated())];

    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect([first, second].map((run) => run.mock.calls.length)).toEqual([2, 2]);
    expect(observer.runs.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done']);
    const warnings = logger.ours('warn').filter((line) => line.includes('onRun'));
    const fails = _how !== 'never ends';
    expect(warnings).toEqual(
      fails ? ['The observer Object failed in onRun(). Nothing else is affected: Error: broken'] : [],
    );
  });
});

/** An observer all of whose methods do the same. */
function everyMethod(method: (...args: unknown[]) => unknown): ScalekitWebhooksObserver {
  const names = ['onDelivery', 'onRun', 'onRecovery', 'onInbox', 'traceDelivery', 'traceRun', 'carry'];
  return Object.fromEntries(names.map((name) => [name, method]));
}

describe('@ScalekitObserver()', () => {
  it('makes a provider an observer, also of a module that is loaded later', async () => {
    @ScalekitObserver()
    class LazyAlerts extends RecordingObserver {}
    class LazyModule {}
    const app = await runOnExpress({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [Users, Alerts, { provide: 'ALIAS', useExisting: Alerts }],
    });
    const scalekit = new ScalekitWebhookTester(app);
    await scalekit.deliver(aUserCreated());
    const loaded = await app
      .get(LazyModuleLoader)
      .load(() => ({ module: LazyModule, providers: [LazyAlerts] }));
    await scalekit.deliver(aUserCreated());

    expect(app.get(Alerts).runs).toHaveLength(2);
    expect(loaded.get(LazyAlerts)).toMatchObject({ runs: [{}], inbox: [{ state: 'opened' }] });
  });

  it('warns about a provider that is not a singleton', async () => {
    const logger = new CapturedLogger();
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })];
    await runOnExpress({ imports, providers: [Users, ScopedAlerts] }, undefined, { logger });

    expect(logger.ours('warn')).toEqual([
      'ScopedAlerts is decorated with @ScalekitObserver(), but it is request-scoped or transient, so it observes nothing. Make it a singleton.',
    ]);
  });
});

describe('An observer of background work', () => {
  it('is told about each attempt, and gets what was stored with its run', async () => {
    const observer = Object.assign(new RecordingObserver(), { carry: () => ({ traceparent: '00-1-2-01' }) });
    const inbox = await sqliteInbox();
    const transport = new InboxTransport(FAST);
    const { scalekit, handlers } = await startHandlers({ inbox, transport, observers: [observer] });
    handlers.failures = [new Error('down'), new NonRetryableEventError('gone')];

    await scalekit.deliver(createScalekitEvent('user.created'));
    const runs = await until(
      () => observer.runs,
      ({ length }) => length === 3,
    );

    expect(observer.deliveries).toMatchObject([{ outcome: 'accepted', status: 202 }]);
    expect(runs.filter(({ handlerId }) => handlerId === 'Handlers.first')).toMatchObject([
      { attempt: 1, state: 'failed', source: 'inbox', error: { message: 'down' } },
      { attempt: 2, state: 'dead', source: 'inbox', error: { name: 'NonRetryableEventError' } },
    ]);
    expect(observer.attempts.map(({ carried }) => carried?.traceparent)).toEqual(
      Array.from({ length: 3 }, () => '00-1-2-01'),
    );
    expect(handlers.deliveries[0]?.headers).not.toHaveProperty('traceparent');
  });

  it('cannot fail a delivery with what it wants to be stored', async () => {
    const value = Object.assign(Object.create(null), { traceparent: Object.create(null) });
    const observer = Object.assign(new RecordingObserver(), { carry: () => value });
    const { scalekit } = await startHandlers({
      inbox: await sqliteInbox(),
      transport: new InboxTransport(FAST),
      observers: [observer],
    });

    expect(await scalekit.deliver(createScalekitEvent('user.created'))).toMatchObject({ status: 202 });
  });

  it('is told about the inbox', async () => {
    const observer = new RecordingObserver();
    const inbox = await sqliteInbox();
    const {
      inbox: service,
      scalekit,
      app,
    } = await startHandlers({
      inbox,
      transport: new InboxTransport(FAST),
      observers: [observer],
    });
    await service.pause();
    await until(
      () => observer.inbox,
      (told) => told.some(({ state }) => state === 'paused'),
    );
    const [opened] = observer.inbox;
    await scalekit.deliver(createScalekitEvent('user.created'));
    const counts = opened?.state === 'opened' ? await opened.stats(['queued']) : [];
    jest.spyOn(inbox, 'takeDue').mockRejectedValue(new Error('connection lost'));
    await until(
      () => observer.inbox,
      (told) => told.some(({ state }) => state === 'fault'),
    );
    await app.close();

    expect(counts).toMatchObject([
      { handlerId: 'Handlers.first', state: 'queued', count: 1 },
      { handlerId: 'Handlers.second', state: 'queued', count: 1 },
    ]);
    expect(observer.inbox).toContainEqual({
      endpoint: 'default',
      state: 'fault',
      fault: 'take_failed',
      error: { name: 'Error', message: 'connection lost' },
    });
    expect(observer.inbox).toContainEqual({ endpoint: 'default', state: 'closed' });
  });
});

describe('An observer of a handler with latestOnly', () => {
  it('is told that the handler did not run for an older event', async () => {
    class Copies {
      @OnScalekitEvent('user.updated', { latestOnly: true })
      copy() {}
    }
    const observer = new RecordingObserver();
    const app = await runOnExpress({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, observers: [observer] })],
      providers: [Copies],
    });
    const scalekit = new ScalekitWebhookTester(app);
    const data = { user: { id: 'usr_1' } };
    for (const hour of ['02', '01']) {
      const occurred_at = `2026-01-02T${hour}:00:00Z`;
      await scalekit.deliver(createScalekitEvent('user.updated', { occurred_at, data }));
    }

    expect(observer.runs.map(({ state, note }) => [state, note])).toEqual([
      ['done', undefined],
      ['done', 'stale'],
    ]);
    expect(observer.attempts).toHaveLength(1);
  });
});

describe('An observer of recoveries', () => {
  it('is told what a recovery did, and why one failed', async () => {
    const observer = new RecordingObserver();
    const { api, recovery } = await startRecoveryApp({ webhooks: { observers: [observer] } });
    api.add(eventOf(10 * MINUTE, 'evt_1'));

    const result = await recovery.recover();
    await Promise.allSettled([recovery.recover({ dryRun: true }), recovery.recover()]);

    expect(observer.recoveries).toMatchObject([
      { endpoint: 'default', outcome: 'done', isDryRun: false, result },
      { outcome: 'in_progress', error: { name: 'ScalekitRecoveryError' } },
      { outcome: 'done', isDryRun: true },
    ]);
  });
});

describe('A tracer', () => {
  it('opens what handlers run in, and learns how they ended', async () => {
    const storage = new AsyncLocalStorage<string[]>();
    const ends: ObservedRun[] = [];
    const outcomes: string[] = [];
    const within = (name: string, work: () => Promise<unknown>) =>
      storage.run([...(storage.getStore() ?? []), name], work);
    const tracer: ScalekitWebhooksObserver = {
      traceDelivery: async (_delivery, work) => {
        outcomes.push(String(await within('delivery', work)));
      },
      traceRun: async ({ handlerId }, work) => {
        ends.push((await within(handlerId, work)) as ObservedRun);
      },
    };
    const { scalekit, first } = await startScriptedApp(ADAPTERS[0]?.[1] as never, { observers: [tracer] });
    const seen: unknown[] = [];
    first.mockImplementation(async () => seen.push(storage.getStore()));

    await scalekit.deliver(aUserCreated());

    expect(seen).toEqual([['delivery', 'First.handle']]);
    expect(ends.map(({ state }) => state)).toEqual(['done', 'done']);
    expect(outcomes).toEqual(['processed']);
  });
});
