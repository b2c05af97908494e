import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CanActivate,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type Provider,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import {
  InboxTransport,
  MemoryInboxStore,
  OnScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { HandlerExplorer } from '../../../lib/dispatch/handler.explorer.js';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { deferred } from '../../helpers/deferred.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const seen: string[] = [];
beforeEach(() => {
  seen.length = 0;
});

class Eager {
  @OnScalekitEvent('user.created')
  created() {
    seen.push('eager');
  }
}

@Injectable()
class Allow implements CanActivate {
  canActivate() {
    return seen.push('guard') > 0;
  }
}

class Lazy {
  @UseGuards(Allow)
  @OnScalekitEvent('user.created')
  created() {
    seen.push('lazy');
  }
}

@Injectable({ scope: Scope.REQUEST })
class LazyPerEvent {
  @OnScalekitEvent('user.created')
  created() {
    seen.push('lazy, per event');
  }
}

@Injectable()
class Connected {
  constructor(@Inject('connection') private readonly connection: string) {}

  @OnScalekitEvent('user.created')
  created() {
    seen.push(`connection ${this.connection}`);
  }
}

function moduleWith(metadata: ModuleMetadata): Type<object> {
  class LazyModule {}
  Module(metadata)(LazyModule);
  return LazyModule;
}

describe.each(ADAPTERS)('the handlers of a lazily loaded module, on %s', (_name, adapter) => {
  async function start(options: ScalekitWebhooksOptions = { inbox: new MemoryInboxStore() }) {
    const logger = new CapturedLogger();
    const app = await run(
      adapter,
      {
        imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
        providers: [Eager],
      },
      undefined,
      { logger },
    );
    const loader = app.get(LazyModuleLoader);
    const scalekit = new ScalekitWebhookTester(app);
    const deliver = async (type: 'user.created' | 'user.deleted' = 'user.created') => {
      seen.length = 0;
      const { status } = await scalekit.deliver(createScalekitEvent(type));
      return [status, ...seen.toSorted()];
    };
    return {
      app,
      logger,
      load: (metadata: ModuleMetadata) => loader.load(() => moduleWith(metadata)),
      deliver,
    };
  }

  it('run for every event after it is loaded, with their guards, and are listed in the log', async () => {
    const { deliver, load, logger } = await start();
    expect(await deliver()).toEqual([201, 'eager']);

    await load({ providers: [Lazy, LazyPerEvent] });
    expect(await deliver()).toEqual([201, 'eager', 'guard', 'lazy', 'lazy, per event']);
    expect(await deliver()).toEqual([201, 'eager', 'guard', 'lazy', 'lazy, per event']);
    expect(logger.ours('log').slice(-2)).toEqual([
      'user.created -> Lazy.created',
      'user.created -> LazyPerEvent.created',
    ]);
    expect([...logger.ours('warn'), ...logger.ours('error')]).toEqual([]);
  });

  it('get the runs that wait for them in the inbox, without a delivery', async () => {
    const inbox = new MemoryInboxStore();
    const event = createScalekitEvent('user.created');
    const { id: eventId, type, occurred_at: occurredAt } = event;
    const key = { endpoint: 'default', eventId };
    const payload = Buffer.from(JSON.stringify(event));
    await inbox.enqueue({ ...key, type, occurredAt, payload }, ['Lazy.created']);
    const { load } = await start({ inbox, transport: new InboxTransport({ pollIntervalMs: 20 }) });

    await load({ providers: [Lazy] });

    await until(
      () => inbox.get(key),
      (entry) => entry?.runs[0]?.state === 'done',
    );
    expect(seen).toEqual(['guard', 'lazy']);
  });

  it('are looked for only once', async () => {
    const explore = jest.spyOn(HandlerExplorer.prototype, 'explore');
    const { deliver, load } = await start();
    await load({ providers: [Lazy, LazyPerEvent] });
    for (let deliveries = 0; deliveries < 3; deliveries += 1) await deliver();

    expect(explore).toHaveBeenCalledTimes(2);
    explore.mockRestore();
  });

  it('can be dispatched to and replayed', async () => {
    const { app, load } = await start();
    await load({ providers: [Lazy] });

    const event = createScalekitEvent('user.created');
    const { handlers } = await app.get(ScalekitEventDispatcher, { strict: false }).dispatch(event);
    expect(handlers.map(({ handlerId }) => handlerId)).toEqual(['Eager.created', 'Lazy.created']);

    await load({ providers: [LazyPerEvent] });
    const replaying = app
      .get(ScalekitInbox, { strict: false })
      .replay(event.id, { handlers: ['LazyPerEvent.created'] });
    await expect(replaying).rejects.toMatchObject({ code: 'payload_missing' });
  });

  it('do not run before their instances are complete', async () => {
    const { deliver, load } = await start();
    const connecting = deferred<string>();
    const loading = load({
      providers: [
        Connected,
        { provide: 'connection', useFactory: () => connecting.promise },
        { provide: 'late', useFactory: () => connecting.promise.then(() => new LazyPerEvent()) },
      ],
    });
    expect(await deliver()).toEqual([201, 'eager']);

    connecting.resolve('open');
    await loading;
    expect(await deliver()).toEqual([201, 'connection open', 'eager', 'lazy, per event']);
  });

  it('are found whenever the event before them arrived while the module was loaded', async () => {
    const { app, deliver, load } = await start();
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
    let isLoading = true;
    const loading = load({
      providers: [Connected, { provide: 'connection', useFactory: async () => 'open' }],
    }).finally(() => {
      isLoading = false;
    });
    while (isLoading) {
      await dispatcher.dispatch(createScalekitEvent('user.created'));
      await Promise.resolve();
    }
    await loading;

    expect(await deliver()).toEqual([201, 'connection open', 'eager']);
  });

  describe('that cannot run', () => {
    class TakenId {
      @OnScalekitEvent('user.created', { id: 'Eager.created' })
      created() {}
    }
    class Disagreeing {
      @OnScalekitEvent('user.created', { attempts: 1 })
      @OnScalekitEvent('organization.*', { attempts: 2 })
      created() {}
    }
    class Unnamed {
      @OnScalekitEvent('user.created')
      created() {}
    }
    Object.defineProperty(Unnamed, 'name', { value: '' });
    class Scoped {
      @OnScalekitEvent('user.created')
      created() {}
    }
    class Product {
      @OnScalekitEvent('user.created')
      created() {}
    }
    const scoped = { provide: Scoped, scope: Scope.REQUEST, useFactory: () => new Scoped() };
    const factory = { provide: 'factory', scope: Scope.REQUEST, useFactory: () => new Product() };

    it.each<[string, Provider, RegExp]>([
      ['has the id of another', TakenId, /Two handlers have the id "Eager\.created"/],
      ['has decorators that disagree', Disagreeing, /Disagreeing\.created disagree on attempts/],
      ['has no id', Unnamed, /has no usable id/],
      ['is provided by a request-scoped factory', scoped, /Scoped cannot run/],
      ['is created by a request-scoped factory', factory, /Product cannot run/],
    ])('make their events unavailable, but no others: a handler that %s', async (_what, bad, reason) => {
      const { deliver, load, logger } = await start();
      await load({ providers: [bad, Lazy] });

      expect(await deliver()).toEqual([503, 'eager', 'guard', 'lazy']);
      expect(await deliver('user.deleted')).toEqual([200]);

      await load({ providers: [LazyPerEvent] });
      expect(await deliver()).toEqual([503, 'eager', 'guard', 'lazy', 'lazy, per event']);
      expect(logger.ours('error')).toEqual([expect.stringMatching(reason)]);
      expect(logger.ours('error')[0]).toContain('events that it handles (user.created');
    });

    it('make no event of another endpoint unavailable', async () => {
      class Elsewhere {
        @OnScalekitEvent('user.created', { id: 'Eager.created', endpoint: 'partners' })
        created() {}
      }
      const { deliver, load, logger } = await start();
      await load({ providers: [Elsewhere] });

      expect(await deliver()).toEqual([201, 'eager']);
      expect(logger.ours('error')).toEqual([]);
    });

    it('leave the events in the inbox of workers, which run the others', async () => {
      const inbox = new MemoryInboxStore();
      const { deliver, load } = await start({ inbox, transport: new InboxTransport({ pollIntervalMs: 20 }) });
      await load({ providers: [TakenId] });

      expect((await deliver())[0]).toBe(503);
      await until(
        () => inbox.stats('default'),
        ([run]) => run?.state === 'done',
      );
    });
  });

  it('are found also if their module is loaded while another one is searched', async () => {
    const { app, load } = await start();
    const [searching, goOn] = [deferred(), deferred()];
    const explore = HandlerExplorer.prototype.explore;
    const spy = jest.spyOn(HandlerExplorer.prototype, 'explore').mockImplementationOnce(async function (
      this: HandlerExplorer,
      ...args
    ) {
      const found = await explore.apply(this, args);
      searching.resolve();
      await goOn.promise;
      return found;
    });
    await load({ providers: [Lazy] });
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
    const earlier = dispatcher.dispatch(createScalekitEvent('user.created'));
    await searching.promise;
    await load({ providers: [LazyPerEvent] });

    const later = dispatcher.dispatch(createScalekitEvent('user.created'));
    goOn.resolve();
    await earlier;

    const { handlers } = await later;
    expect(handlers.map(({ handlerId }) => handlerId)).toContain('LazyPerEvent.created');
    spy.mockRestore();
  });
});
