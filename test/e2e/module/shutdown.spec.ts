import { describe, expect, it } from '@jest/globals';
import {
  Global,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import {
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { deferred } from '../../helpers/deferred.js';
import { ADAPTERS, SECRET, startApp } from '../../helpers/test-app.js';

describe.each(ADAPTERS)('closing the application, on %s', (_name, adapter) => {
  async function start() {
    const steps: string[] = [];
    const started = deferred();
    const release = deferred();

    class Handlers implements OnApplicationShutdown {
      @OnScalekitEvent('user.created')
      async created(event: ScalekitEvent<'user.created'>) {
        steps.push(`started ${event.type}`);
        started.resolve();
        await release.promise;
        steps.push(`ended ${event.type}`);
      }

      onApplicationShutdown() {
        steps.push('shut down');
      }
    }
    const app = await startApp(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [Handlers],
    });
    return { app, steps, started, release };
  }

  it('waits for deliveries in flight', async () => {
    const { app, steps, started, release } = await start();
    const delivery = new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));
    await started.promise;

    const closed = app.close();
    release.resolve();

    expect((await delivery).status).toBe(201);
    await closed;
    expect(steps).toEqual(['started user.created', 'ended user.created', 'shut down']);
  });

  it('makes the dispatcher report new events as unavailable', async () => {
    const { app, steps } = await start();
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });

    await app.close();

    expect(await dispatcher.dispatch(createScalekitEvent('user.created'))).toEqual({
      outcome: 'unavailable',
      handlers: [],
    });
    expect(steps).toEqual(['shut down']);
  });

  it('answers 503 to a delivery that arrives while others are finishing', async () => {
    const { app, started, release } = await start();
    const scalekit = new ScalekitWebhookTester(app);
    const first = scalekit.deliver(createScalekitEvent('user.created'));
    await started.promise;

    const closed = app.close();
    const second = await scalekit.deliver(createScalekitEvent('user.created'));
    release.resolve();

    expect(second).toMatchObject({ status: 503, body: { received: false } });
    expect(second.headers.get('retry-after')).toBe('5');
    expect((await first).status).toBe(201);
    await closed;
  });

  describe('finishes deliveries in flight before a pool is closed in onModuleDestroy', () => {
    class Pool implements OnModuleDestroy {
      isOpen = true;

      onModuleDestroy() {
        this.isOpen = false;
      }
    }

    @Module({ providers: [Pool], exports: [Pool] })
    class DatabaseModule {}

    @Global()
    @Module({ providers: [Pool], exports: [Pool] })
    class GlobalDatabaseModule {}

    const endpoint = (imports: ModuleMetadata['imports'] = []) =>
      ScalekitWebhooksModule.forRootAsync({ imports, useFactory: () => ({ signingSecret: SECRET }) });

    const places: [string, ModuleMetadata][] = [
      ['of AppModule', { imports: [endpoint()], providers: [Pool] }],
      ['of a module that AppModule imports before ours', { imports: [DatabaseModule, endpoint()] }],
      ['of a module that AppModule imports after ours', { imports: [endpoint(), DatabaseModule] }],
      ['of a module that forRootAsync imports', { imports: [DatabaseModule, endpoint([DatabaseModule])] }],
      ['of a global module', { imports: [GlobalDatabaseModule, endpoint()] }],
    ];

    it.each(places)('%s', async (_place, { imports = [], providers = [] }) => {
      const [started, release] = [deferred(), deferred()];
      class Handlers {
        constructor(@Inject(Pool) private readonly pool: Pool) {}

        @OnScalekitEvent('user.created')
        async created() {
          started.resolve();
          await release.promise;
          if (!this.pool.isOpen) throw new Error('the pool is closed');
        }
      }
      const app = await startApp(adapter, { imports, providers: [...providers, Handlers] });
      const pool = app.get(Pool, { strict: false });
      const delivery = new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));
      await started.promise;

      const closed = app.close();
      await new Promise(setImmediate);
      release.resolve();

      expect((await delivery).status).toBe(201);
      await closed;
      expect(pool.isOpen).toBe(false);
    });
  });

  it('is initialized before the modules that import it, which can dispatch events at once', async () => {
    const outcomes: string[] = [];
    class Importer implements OnModuleInit {
      constructor(@Inject(ScalekitEventDispatcher) private readonly dispatcher: ScalekitEventDispatcher) {}

      async onModuleInit() {
        outcomes.push((await this.dispatcher.dispatch(createScalekitEvent('user.created'))).outcome);
      }

      @OnScalekitEvent('user.created')
      created() {}
    }
    const app = await startApp(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [Importer],
    });
    await app.close();

    expect(outcomes).toEqual(['processed']);
  });
});
