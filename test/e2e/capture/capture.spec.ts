import { describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  type INestApplication,
  Module,
  type NestApplicationOptions,
  Post,
  RawBody,
  RequestMethod,
  VersioningType,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import express from 'express';
import helmet from 'helmet';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { allowInject } from '../../helpers/fastify-inject.js';
import { closeAfterTest, run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

@Controller('host')
class HostController {
  @Post('json')
  json(@Body() body: unknown) {
    return { body };
  }

  @Post('raw')
  raw(@RawBody() body: Buffer | undefined) {
    return { raw: body?.toString() };
  }

  @Get()
  get() {
    return 'fine';
  }
}

@Module({
  imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
  providers: [Handlers],
  controllers: [HostController],
})
class AppModule {}

type Configure = (app: INestApplication) => void;

const underFactory = async (adapter: AbstractHttpAdapter, options: NestApplicationOptions) =>
  NestFactory.create(AppModule, adapter, { logger: false, abortOnError: false, ...options });

const underTest = async (adapter: AbstractHttpAdapter, options: NestApplicationOptions) => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  return module.createNestApplication(adapter, { logger: false, ...options });
};

const HOSTS: [what: string, options: NestApplicationOptions, configure: Configure, path?: string][] = [
  ['nothing set', {}, () => {}],
  ['rawBody: true', { rawBody: true }, () => {}],
  ['bodyParser: false', { bodyParser: false }, () => {}],
  ['CORS', { cors: true }, () => {}],
  ['a global prefix', {}, (app) => app.setGlobalPrefix('api'), '/api/webhooks/scalekit'],
  ['a global prefix with slashes', {}, (app) => app.setGlobalPrefix('/api/v1/'), '/api/v1/webhooks/scalekit'],
  [
    'a global prefix that leaves out our path',
    {},
    (app) => app.setGlobalPrefix('api', { exclude: ['webhooks/scalekit'] }),
  ],
  [
    'a global prefix that leaves out POST to our path',
    {},
    (app) =>
      app.setGlobalPrefix('api', { exclude: [{ path: 'webhooks/*path', method: RequestMethod.POST }] }),
  ],
  [
    'a global prefix that leaves out GET alone',
    {},
    (app) =>
      app.setGlobalPrefix('api', { exclude: [{ path: 'webhooks/scalekit', method: RequestMethod.GET }] }),
    '/api/webhooks/scalekit',
  ],
  [
    'versions in the URL',
    {},
    (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
  ],
  [
    'versions in the URL, below a global prefix',
    {},
    (app) =>
      app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: ['1', '2'] }),
    '/api/webhooks/scalekit',
  ],
  [
    'versions in a header',
    {},
    (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version', defaultVersion: '1' }),
  ],
];

describe.each(ADAPTERS)('the raw body, on %s', (_name, adapter) => {
  describe.each([
    ['NestFactory', underFactory],
    ['Test.createTestingModule', underTest],
  ])('under %s', (_how, create) => {
    it.each(HOSTS)('is captured with %s', async (_what, options, configure, path = '/webhooks/scalekit') => {
      const app = closeAfterTest(await create(adapter(), options));
      configure(app);
      await app.listen(0, '127.0.0.1');

      const { status, body } = await new ScalekitWebhookTester(app, { path }).deliver(
        createScalekitEvent('user.created'),
      );

      expect({ status, body }).toEqual({ status: 201, body: { received: true, status: 'processed' } });
    });

    it('is captured of a body with spaces, escapes and an order of its own', async () => {
      const app = closeAfterTest(await create(adapter(), {}));
      const event = createScalekitEvent('user.created');
      const text = JSON.stringify(Object.fromEntries(Object.entries(event).reverse()), null, 3);

      const { status } = await new ScalekitWebhookTester(app).deliver(` ${text.replace('@', '\\u0040')}\r\n`);

      expect(status).toBe(201);
    });

    it('of other routes still reaches them parsed', async () => {
      const app = closeAfterTest(await create(adapter(), {}));

      const { body } = await new ScalekitWebhookTester(app, { path: '/host/json' }).deliver({ a: [1] });

      expect(body).toEqual({ body: { a: [1] } });
    });

    it('of other routes still reaches them raw where the host asked for that', async () => {
      const app = closeAfterTest(await create(adapter(), { rawBody: true }));

      const { body } = await new ScalekitWebhookTester(app, { path: '/host/raw' }).deliver('{ "a": 1 }');

      expect(body).toEqual({ raw: '{ "a": 1 }' });
    });
  });

  it.each(['/webhooks/scalekit?tenant=1', '/webhooks/scalekit?a=/b'])('is captured at %s', async (path) => {
    const app = await run(adapter, { imports: [AppModule] });

    const answer = await new ScalekitWebhookTester(app, { path }).deliver(
      createScalekitEvent('user.created'),
    );

    expect(answer.status).toBe(201);
  });

  it('is captured below helmet', async () => {
    const app = await run(adapter, { imports: [AppModule] }, (host) => host.use(helmet()));

    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('leaves another method at its path to the host', async () => {
    const app = await run(adapter, { imports: [AppModule] });
    await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));
    const { port } = app.getHttpServer().address();

    const response = await fetch(`http://127.0.0.1:${port}/webhooks/scalekit`);

    expect(response.status).toBe(404);
  });
});

describe('the raw body on Express alone', () => {
  const adapter = () => new ExpressAdapter();

  it.each(['/webhooks/scalekit/', '/Webhooks/SCALEKIT'])(
    'is captured at %s, which Express matches as well',
    async (path) => {
      const app = await run(adapter, { imports: [AppModule] });

      const answer = await new ScalekitWebhookTester(app, { path }).deliver(
        createScalekitEvent('user.created'),
      );

      expect(answer.status).toBe(201);
    },
  );

  it.each<[string, (app: NestExpressApplication) => unknown]>([
    ['app.use(express.json())', (app) => app.use(express.json({ limit: '50mb' }))],
    ['app.use(express.raw())', (app) => app.use(express.raw({ type: '*/*' }))],
    ['useBodyParser("json")', (app) => app.useBodyParser('json', { limit: '10mb' })],
    ['useBodyParser("text")', (app) => app.useBodyParser('text', { type: '*/*' })],
  ])('is captured before %s in main.ts', async (_what, configure) => {
    const app = await run(adapter, { imports: [AppModule] }, (host) => {
      configure(host as NestExpressApplication);
    });

    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

    expect(answer.status).toBe(201);
  });
});

describe('the raw body on Fastify alone', () => {
  const adapter = () => new FastifyAdapter();

  it('is captured beside useBodyParser in main.ts', async () => {
    const app = await run(adapter, { imports: [AppModule] }, (host) => {
      (host as NestFastifyApplication).useBodyParser(
        'application/json',
        { bodyLimit: 10 },
        (_r, _b, done) => {
          done(null, 'of the host');
        },
      );
    });

    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

    expect(answer.status).toBe(201);
  });

  it('is captured of a request by inject()', async () => {
    allowInject();
    const app = closeAfterTest((await underTest(adapter(), {})) as NestFastifyApplication);
    await app.init();
    const payload = JSON.stringify(createScalekitEvent('user.created'));

    const response = await app.inject({
      method: 'POST',
      url: '/webhooks/scalekit',
      headers: { 'content-type': 'application/json', ...signWebhook({ payload, secret: SECRET }) },
      payload,
    });

    expect([response.statusCode, response.json()]).toEqual([201, { received: true, status: 'processed' }]);
  });
});
