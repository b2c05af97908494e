import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  type InboxStore,
  MemoryInboxStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { run, runOnExpress } from '../../helpers/running-app.js';
import { OTHER_SECRET, SECRET } from '../../helpers/secrets.js';
import { ADAPTERS } from '../../helpers/test-app.js';

const seen: string[] = [];
beforeEach(() => {
  seen.length = 0;
});

class Handlers {
  @OnScalekitEvent('user.created')
  everywhere(_event: unknown, delivery: ScalekitDelivery) {
    seen.push(`everywhere: ${delivery.endpoint} ${delivery.attempt}`);
  }

  @OnScalekitEvent('user.created', { endpoint: 'partners' })
  partners() {
    seen.push('partners');
  }

  @OnScalekitEvent('user.created', { endpoint: ['staff', 'partners'] })
  both() {
    seen.push('both');
  }
}

const endpoints = (inbox?: InboxStore) => [
  ScalekitWebhooksModule.forRoot({ inbox, signingSecret: SECRET, name: 'staff', path: 'webhooks/staff' }),
  ScalekitWebhooksModule.forRootAsync({
    name: 'partners',
    path: 'webhooks/partners',
    useFactory: () => ({ inbox, signingSecret: OTHER_SECRET }),
  }),
];

describe.each(ADAPTERS)('several endpoints, on %s', (_name, adapter) => {
  async function start(inbox?: InboxStore) {
    const app = await run(adapter, { imports: endpoints(inbox), providers: [Handlers] });
    const staff = new ScalekitWebhookTester(app, { endpoint: 'staff' });
    return { staff, partners: new ScalekitWebhookTester(app, { endpoint: 'partners' }) };
  }

  it('verify deliveries with their own secrets', async () => {
    const { staff, partners } = await start();
    const event = createScalekitEvent('user.created');

    expect((await staff.deliver(event)).status).toBe(201);
    expect((await staff.deliver(event, { secret: OTHER_SECRET })).status).toBe(401);
    expect((await partners.deliver(event)).status).toBe(201);
    expect((await partners.deliver(event, { secret: SECRET })).status).toBe(401);
  });

  it('run the handlers that name them, and those that name no endpoint', async () => {
    const { staff, partners } = await start();

    await staff.deliver(createScalekitEvent('user.created'));
    expect(seen.splice(0).sort()).toEqual(['both', 'everywhere: staff 1']);

    await partners.deliver(createScalekitEvent('user.created'));
    expect(seen.sort()).toEqual(['both', 'everywhere: partners 1', 'partners']);
  });

  it('do not treat an event of one as a duplicate at the other, even if they share an inbox', async () => {
    const { staff, partners } = await start(new MemoryInboxStore());
    const event = createScalekitEvent('user.created');

    const answers = [await staff.deliver(event), await partners.deliver(event), await staff.deliver(event)];

    expect(answers.map(({ body }) => body)).toEqual([
      { received: true, status: 'processed' },
      { received: true, status: 'processed' },
      { received: true, status: 'duplicate' },
    ]);
  });
});

describe.each(ADAPTERS)('two endpoints with overlapping paths, on %s', (_name, adapter) => {
  it('both receive the raw bodies of their deliveries', async () => {
    const forRoot = (name: string, path: string, signingSecret: string) =>
      ScalekitWebhooksModule.forRoot({ name, path, signingSecret });
    const app = await run(adapter, {
      imports: [forRoot('staff', 'hooks/staff', SECRET), forRoot('tenants', 'hooks/:tenant', OTHER_SECRET)],
      providers: [Handlers],
    });
    const staff = new ScalekitWebhookTester(app, { endpoint: 'staff' });
    const tenant = new ScalekitWebhookTester(app, { endpoint: 'tenants', path: '/hooks/acme' });

    expect((await staff.deliver(createScalekitEvent('user.created'))).status).toBe(201);
    expect((await tenant.deliver(createScalekitEvent('user.created'))).status).toBe(201);
  });
});

describe('the names and paths of endpoints', () => {
  const forRoot = (options: object) => ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options });

  it.each([
    ['name', [{ path: 'a' }, { path: 'b' }], /Two endpoints have the name "default"/],
    ['path', [{ name: 'a' }, { name: 'b' }], /Two endpoints have the path "webhooks\/scalekit"/],
    [
      'path',
      [
        { name: 'a', path: '/Hooks/' },
        { name: 'b', path: 'hooks' },
      ],
      /Two endpoints have the path/,
    ],
    [
      'path',
      [
        { name: 'a', path: 'hooks/:tenant' },
        { name: 'b', path: 'hooks/:customer' },
      ],
      /Two endpoints have the path/,
    ],
  ])('fail at startup if two endpoints have the same %s', async (_setting, options, message) => {
    await expect(runOnExpress({ imports: options.map(forRoot) })).rejects.toThrow(message);
  });

  it('can repeat if the same module is imported twice', async () => {
    const module = forRoot({});

    const app = await runOnExpress({
      imports: [module, { module: class Feature {}, imports: [module] }],
      providers: [Handlers],
    });

    expect((await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'))).status).toBe(
      201,
    );
  });

  it('are compared with the endpoints that handlers name', async () => {
    const logger = new CapturedLogger();
    class Misspelled {
      @OnScalekitEvent('user.created', { endpoint: 'partner' })
      created() {}
    }

    await runOnExpress({ imports: endpoints(), providers: [Misspelled] }, undefined, { logger });

    expect(logger.ours('warn').filter((text) => text.includes('Misspelled.created handles events'))).toEqual([
      expect.stringContaining('"partner", but no forRoot has that name'),
    ]);
  });
});
