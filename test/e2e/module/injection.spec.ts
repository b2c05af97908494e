import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  forwardRef,
  Get,
  Inject,
  Injectable,
  Module,
  Optional,
  Scope,
  type Type,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  getScalekitDispatcherToken,
  getScalekitInboxToken,
  InjectScalekitDispatcher,
  InjectScalekitInbox,
  MemoryInboxStore,
  OnScalekitEvent,
  SCALEKIT_WEBHOOKS_OPTIONS,
  ScalekitEventDispatcher,
  ScalekitInbox,
  ScalekitWebhooksConfigurationError,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { closeAfterTest, run } from '../../helpers/running-app.js';
import { OTHER_SECRET } from '../../helpers/secrets.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const forRoot = (name: string, isGlobal = false) =>
  ScalekitWebhooksModule.forRoot({ name, path: `webhooks/${name}`, signingSecret: SECRET, isGlobal });

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

@Injectable()
class Named {
  @InjectScalekitDispatcher('test')
  readonly test!: ScalekitEventDispatcher;

  constructor(
    @InjectScalekitInbox('live') readonly live: ScalekitInbox,
    @InjectScalekitInbox('test') readonly testInbox: ScalekitInbox,
    @InjectScalekitDispatcher('live') readonly dispatcher: ScalekitEventDispatcher,
  ) {}
}

describe.each(ADAPTERS)(
  'the inbox and the dispatcher of one of several endpoints, on %s',
  (_name, adapter) => {
    it('are injected by the name of the endpoint', async () => {
      const app = await run(adapter, {
        imports: [forRoot('live'), forRoot('test')],
        providers: [Handlers, Named],
      });
      const { live, testInbox, dispatcher, test } = app.get(Named);
      const event = createScalekitEvent('user.created');
      await new ScalekitWebhookTester(app, { endpoint: 'live' }).deliver(event);

      expect(await live.get(event.id)).toMatchObject({ endpoint: 'live' });
      expect(await testInbox.get(event.id)).toBeUndefined();
      expect(await dispatcher.dispatch(event)).toMatchObject({ outcome: 'duplicate' });
      expect(await test.dispatch(event)).toMatchObject({ outcome: 'processed' });
      expect(app.get(getScalekitInboxToken('live'), { strict: false })).toBe(live);
      expect(app.get(getScalekitDispatcherToken('test'), { strict: false })).toBe(test);
    });

    it('are those of the default endpoint without a name', async () => {
      class Default {
        constructor(
          @InjectScalekitInbox() readonly inbox: ScalekitInbox,
          @InjectScalekitDispatcher() readonly dispatcher: ScalekitEventDispatcher,
        ) {}
      }
      Injectable()(Default);
      const app = await run(adapter, {
        imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
        providers: [Handlers, Default],
      });

      expect(app.get(Default).inbox).toBe(app.get(ScalekitInbox, { strict: false }));
      expect(app.get(Default).dispatcher).toBe(app.get(ScalekitEventDispatcher, { strict: false }));
    });

    it('can be injected anywhere if the endpoint is global', async () => {
      @Module({ providers: [Named], exports: [Named] })
      class FeatureModule {}
      const app = await run(adapter, {
        imports: [forRoot('live', true), forRoot('test', true), FeatureModule],
        providers: [Handlers],
      });

      expect(app.get(Named, { strict: false }).live).toBeInstanceOf(ScalekitInbox);
    });
  },
);

@Injectable()
class ByConstructor {
  constructor(readonly inbox: ScalekitInbox) {}
}
@Injectable()
class ByProperty {
  @Inject()
  readonly dispatcher!: ScalekitEventDispatcher;
}
@Injectable()
class ByForwardRef {
  constructor(@Inject(forwardRef(() => ScalekitInbox)) readonly inbox: unknown) {}
}
@Injectable()
class ByOptional {
  constructor(@Optional() @Inject(ScalekitInbox) readonly inbox: unknown) {}
}
@Injectable({ scope: Scope.REQUEST })
class ByRequest {
  constructor(readonly dispatcher: ScalekitEventDispatcher) {}
}
@Controller('inbox')
class InController {
  constructor(readonly inbox: ScalekitInbox) {}

  @Get()
  count() {
    return this.inbox.count();
  }
}

describe.each(ADAPTERS)('the inbox and the dispatcher by their class, on %s', (_name, adapter) => {
  const start = (metadata: Parameters<typeof run>[1]) => run(adapter, metadata);

  it.each<[string, Parameters<typeof run>[1]]>([
    ['a constructor', { providers: [ByConstructor] }],
    ['a property', { providers: [ByProperty] }],
    ['a forward reference', { providers: [ByForwardRef] }],
    ['an optional parameter', { providers: [ByOptional] }],
    ['a request-scoped provider', { providers: [ByRequest] }],
    ['a controller', { controllers: [InController] }],
    ['a factory', { providers: [{ provide: 'f', useFactory: (inbox) => inbox, inject: [ScalekitInbox] }] }],
    ['an alias', { providers: [{ provide: 'alias', useExisting: ScalekitInbox }] }],
  ])('are an error at the start where two endpoints are imported: in %s', async (_where, metadata) => {
    const starting = start({ ...metadata, imports: [forRoot('live'), forRoot('test')] });

    await expect(starting).rejects.toThrow(ScalekitWebhooksConfigurationError);
    await expect(starting).rejects.toThrow(
      /endpoints "live" and "test".* Name the endpoint: @InjectScalekit(Inbox|Dispatcher)\('live'\)\.$/,
    );
  });

  it('are an error where a module that exports another endpoint is imported, or an endpoint is global', async () => {
    @Module({ imports: [forRoot('live')], exports: [ScalekitWebhooksModule] })
    class LiveModule {}
    @Module({ imports: [LiveModule], exports: [LiveModule] })
    class SharedModule {}

    await expect(
      start({ imports: [SharedModule, forRoot('test')], providers: [ByConstructor] }),
    ).rejects.toThrow(/ByConstructor injects .*@InjectScalekitInbox/);
    await expect(
      start({ imports: [forRoot('live', true), forRoot('test')], providers: [ByConstructor] }),
    ).rejects.toThrow(/ByConstructor injects/);
  });

  it('are those of the only endpoint that a module imports', async () => {
    const feature = (endpoint: string): [Type<object>, Type<ByConstructor>] => {
      @Injectable()
      class Consumer extends ByConstructor {}
      @Module({ imports: [forRoot(endpoint)], providers: [Consumer] })
      class FeatureModule {}
      return [FeatureModule, Consumer];
    };
    const [LiveModule, Live] = feature('live');
    const [TestModule, Tested] = feature('test');
    const app = await start({ imports: [LiveModule, TestModule], providers: [Handlers] });

    const inboxOf = (endpoint: string) => app.get(getScalekitInboxToken(endpoint), { strict: false });
    expect(app.get(Live, { strict: false }).inbox).toBe(inboxOf('live'));
    expect(app.get(Tested, { strict: false }).inbox).toBe(inboxOf('test'));
  });
});

describe.each(ADAPTERS)("the token of the module's options, on %s", (_name, adapter) => {
  it('lets a test override them', async () => {
    const inbox = new MemoryInboxStore();
    const module = await Test.createTestingModule({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, path: 'hooks' })],
      providers: [Handlers],
    })
      .overrideProvider(SCALEKIT_WEBHOOKS_OPTIONS)
      .useValue({ signingSecret: OTHER_SECRET, inbox })
      .compile();
    const app = closeAfterTest(module.createNestApplication(adapter(), { logger: false }));
    const scalekit = new ScalekitWebhookTester(app);
    const event = createScalekitEvent('user.created');

    expect((await scalekit.deliver(event)).status).toBe(201);
    expect((await scalekit.deliver(event, { secret: SECRET })).status).toBe(401);
    expect(await inbox.get({ endpoint: 'default', eventId: event.id })).toBeDefined();
  });

  it('checks what a test passes', async () => {
    const module = Test.createTestingModule({
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
    })
      .overrideProvider(SCALEKIT_WEBHOOKS_OPTIONS)
      .useValue({ signinSecret: SECRET });

    await expect(module.compile()).rejects.toThrow(/Did you mean signingSecret/);
  });
});

describe('the tokens', () => {
  it.each([getScalekitInboxToken, getScalekitDispatcherToken])(
    'refuse a name that no endpoint can have: %p',
    (tokenOf) => {
      expect(() => tokenOf('')).toThrow(ScalekitWebhooksConfigurationError);
      expect(tokenOf('a')).not.toBe(tokenOf('b'));
      expect(tokenOf()).toBe(tokenOf('default'));
    },
  );
});
