import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module, Post } from '@nestjs/common';
import {
  OnScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
  type ScalekitWebhooksOptionsFactory,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run, runOnExpress } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

@Injectable()
class Vault {
  readonly secret = SECRET;
}

@Module({ providers: [Vault], exports: [Vault] })
class VaultModule {}

@Injectable()
class FromVault implements ScalekitWebhooksOptionsFactory {
  constructor(private readonly vault: Vault) {}

  async createScalekitWebhooksOptions(): Promise<ScalekitWebhooksOptions> {
    return { signingSecret: this.vault.secret };
  }
}

@Module({ imports: [VaultModule], providers: [FromVault], exports: [FromVault] })
class SettingsModule {}

@Controller()
class MarkedController {
  @Post('other')
  other() {}
}

const marked: unknown[] = [];
const Mark: ClassDecorator = (target) => {
  marked.push(target);
};

const CONFIGURED = [
  ['forRoot', () => ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
  [
    'forRootAsync with useFactory',
    () =>
      ScalekitWebhooksModule.forRootAsync({
        imports: [VaultModule],
        inject: [Vault],
        useFactory: async (vault: Vault) => ({ signingSecret: vault.secret }),
      }),
  ],
  [
    'forRootAsync with useClass',
    () => ScalekitWebhooksModule.forRootAsync({ imports: [VaultModule], useClass: FromVault }),
  ],
  [
    'forRootAsync with useExisting',
    () => ScalekitWebhooksModule.forRootAsync({ imports: [SettingsModule], useExisting: FromVault }),
  ],
] as const;

describe.each(ADAPTERS)('the module, on %s', (_name, adapter) => {
  it.each(CONFIGURED)('accepts options from %s', async (_how, configured) => {
    const app = await run(adapter, { imports: [configured()], providers: [Handlers] });

    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

    expect(answer.status).toBe(201);
  });

  it('accepts path, name and controllerDecorators next to a factory', async () => {
    marked.length = 0;
    const app = await run(adapter, {
      imports: [
        ScalekitWebhooksModule.forRootAsync({
          path: '/hooks/incoming/',
          name: 'staff',
          controllerDecorators: [Mark],
          useFactory: () => ({ signingSecret: SECRET }),
        }),
      ],
      providers: [Handlers],
    });
    const scalekit = new ScalekitWebhookTester(app, { endpoint: 'staff', path: '/hooks/incoming' });

    expect((await scalekit.deliver(createScalekitEvent('user.created'))).status).toBe(201);
    expect(marked).toHaveLength(1);
  });

  it('does not affect the routes of the application', async () => {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      controllers: [MarkedController],
    });

    expect((await new ScalekitWebhookTester(app, { path: '/other' }).deliver({})).status).toBe(201);
    expect((await new ScalekitWebhookTester(app, { path: '/nowhere' }).deliver({})).status).toBe(404);
  });
});

describe('isGlobal', () => {
  @Injectable()
  class Replay {
    constructor(@Inject(ScalekitEventDispatcher) readonly dispatcher: ScalekitEventDispatcher) {}
  }
  @Module({ providers: [Replay] })
  class FeatureModule {}

  const importing = (isGlobal: boolean | undefined) => ({
    imports: [
      ScalekitWebhooksModule.forRootAsync({
        ...(isGlobal !== undefined && { isGlobal }),
        useFactory: () => ({ signingSecret: SECRET }),
      }),
      FeatureModule,
    ],
  });

  it('lets any module inject the dispatcher', async () => {
    const app = await runOnExpress(importing(true));

    const { dispatcher } = app.get(Replay, { strict: false });

    expect((await dispatcher.dispatch(createScalekitEvent('user.created'))).outcome).toBe('ignored');
  });

  it.each([false, undefined])('is off if it is %s', async (isGlobal) => {
    await expect(runOnExpress(importing(isGlobal))).rejects.toThrow(/can't resolve dependencies/);
  });
});
