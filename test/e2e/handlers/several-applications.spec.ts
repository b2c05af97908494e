import { beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import { Scope } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { OnScalekitEvent, ScalekitEventDispatcher, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { closeAfterTest, run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

class Users {
  @OnScalekitEvent('user.created')
  created() {}
}

class Organizations {
  @OnScalekitEvent('organization.created')
  created() {}
}

const webhooks = () => ScalekitWebhooksModule.forRoot({ signingSecret: SECRET });

let factoryRuns = 0;
const REQUEST_SCOPED = {
  provide: 'tenant connection',
  useFactory: () => {
    factoryRuns += 1;
    return {};
  },
  scope: Scope.REQUEST,
};

describe.each(ADAPTERS)('several applications in one process, on %s', (_name, adapter) => {
  beforeEach(() => {
    factoryRuns = 0;
  });

  async function start({ imports = [], ...metadata }: ModuleMetadata) {
    const logger = new CapturedLogger();
    const app = await run(adapter, { imports: [webhooks(), ...imports], ...metadata }, undefined, { logger });
    return { app, logger };
  }

  async function dispatch(app: INestApplication, type: 'user.created' | 'organization.created') {
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
    return (await dispatcher.dispatch(createScalekitEvent(type))).outcome;
  }

  it('do not miss the handlers of each other', async () => {
    const first = await start({ providers: [Users] });
    const second = await start({ providers: [Organizations] });

    expect(await dispatch(first.app, 'user.created')).toBe('processed');
    expect(await dispatch(second.app, 'organization.created')).toBe('processed');
    expect(await dispatch(first.app, 'organization.created')).toBe('ignored');
    expect(await dispatch(second.app, 'user.created')).toBe('ignored');
    expect([...first.logger.ours('warn'), ...second.logger.ours('warn')]).toEqual([]);
  });

  it('do not miss them either if they run one after another', async () => {
    const first = await start({ providers: [Users] });
    await dispatch(first.app, 'user.created');
    await first.app.close();
    const second = await start({ providers: [Organizations] });
    await dispatch(second.app, 'organization.created');

    expect([...first.logger.ours('warn'), ...second.logger.ours('warn')]).toEqual([]);
  });

  it('run none of their request-scoped factories at the start', async () => {
    class NeverProvided {
      @OnScalekitEvent('role.deleted')
      deleted() {}
    }
    const { logger } = await start({ providers: [Users, REQUEST_SCOPED] });

    expect(NeverProvided.name).toBe('NeverProvided');
    expect(factoryRuns).toBe(0);
    expect(logger.ours('warn')).toEqual([]);
  });

  it('do not miss the handlers of a class that was loaded again, as in a hot reload', async () => {
    const load = (): Type<object> => {
      class Reloaded {
        @OnScalekitEvent('user.created')
        created() {}
      }
      return Reloaded;
    };
    const before = await start({ providers: [load()] });
    await before.app.close();
    const after = await start({ providers: [load()] });

    expect(await dispatch(after.app, 'user.created')).toBe('processed');
    expect(after.logger.ours('warn')).toEqual([]);
  });

  describe('in a test that overrides a provider', () => {
    async function startWith(override: (builder: TestingModuleBuilder) => TestingModuleBuilder) {
      const logger = new CapturedLogger();
      class Overridden {
        @OnScalekitEvent('user.deleted')
        deleted() {}
      }
      const builder = Test.createTestingModule({ imports: [webhooks()], providers: [Users, Overridden] });
      builder.overrideProvider(Overridden);
      const module = await override(
        builder.overrideProvider(Overridden).useValue({ deleted() {} }),
      ).compile();
      const app = closeAfterTest(module.createNestApplication(adapter(), { logger }));
      await app.init();
      const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
      const { outcome } = await dispatcher.dispatch(createScalekitEvent('user.deleted'));
      return { outcome, warnings: logger.ours('warn') };
    }

    it('give no advice to provide the class', async () => {
      expect(await startWith((builder) => builder)).toEqual({ outcome: 'ignored', warnings: [] });
    });
  });
});

describe.each(ADAPTERS)('a class with handlers that no module provides, on %s', (_name, adapter) => {
  it('is named by a warning at the first event that it would handle', async () => {
    class Forgotten {
      @OnScalekitEvent('membership.*')
      changed() {}
    }
    const logger = new CapturedLogger();
    const app = await run(adapter, { imports: [webhooks()], providers: [Users] }, undefined, { logger });
    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
    const event = createScalekitEvent('membership.created');

    await dispatcher.dispatch(event);
    await dispatcher.dispatch(createScalekitEvent('membership.deleted'));

    expect(logger.ours('warn')).toEqual([
      `${event.id} (membership.created) was ignored: ${Forgotten.name}.changed handles it, but no module of this application provides Forgotten. Add Forgotten to a module's providers.`,
    ]);
  });

  it('is not named if its handler is for another endpoint', async () => {
    class ForPartners {
      @OnScalekitEvent('session.created', { endpoint: 'partners' })
      created() {}
    }
    const logger = new CapturedLogger();
    const app = await run(adapter, { imports: [webhooks()], providers: [Users] }, undefined, { logger });

    await app
      .get(ScalekitEventDispatcher, { strict: false })
      .dispatch(createScalekitEvent('session.created'));

    expect(ForPartners.name).toBe('ForPartners');
    expect(logger.ours('warn')).toEqual([]);
  });
});
