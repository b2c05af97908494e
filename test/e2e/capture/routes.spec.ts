import { describe, expect, it } from '@jest/globals';
import {
  All,
  Body,
  Controller,
  Get,
  type INestApplication,
  type ModuleMetadata,
  Post,
  type Type,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NextFunction, Request, Response } from 'express';
import type { FastifyReply } from 'fastify';
import { ScalekitWebhooksModule, type ScalekitWebhooksOptions } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { aPlainEndpoint, PlainHandlers } from '../../helpers/plain-endpoint.js';
import { send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, type AdapterFactory, SECRET } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

const express = () => new ExpressAdapter();
const fastify = () => new FastifyAdapter();
const FOREIGN_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const anEvent = () => createScalekitEvent('user.created');

/** A controller with one POST route, or one for all methods. */
function controllerOf(prefix: string, path: string, options: object = {}, method = Post): Type<unknown> {
  @Controller({ path: prefix, ...options })
  class LegacyController {
    @method(path)
    receive() {
      return 'ok';
    }
  }
  return LegacyController;
}

function beside(controller: Type<unknown>, path?: string): ModuleMetadata {
  const webhooks = ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, path });
  return { imports: [webhooks], providers: [PlainHandlers], controllers: [controller] };
}

const prefixed = (host: INestApplication) => host.setGlobalPrefix('api');
const versioned = (host: INestApplication) =>
  host.enableVersioning({ type: VersioningType.URI, defaultVersion: VERSION_NEUTRAL });
const versionedByHeader = (host: INestApplication) =>
  host.enableVersioning({ type: VersioningType.HEADER, header: 'x-version', defaultVersion: '1' });

type Configure = (host: INestApplication) => unknown;
interface Case {
  readonly what: string;
  readonly controller: Type<unknown>;
  readonly configure?: Configure;
  /** The path of the endpoint. */
  readonly path?: string;
}

const SAME_PATH: readonly Case[] = [
  { what: 'the same path', controller: controllerOf('webhooks/scalekit', '') },
  { what: 'the same path for all methods', controller: controllerOf('webhooks', 'scalekit', {}, All) },
  {
    what: 'the same path below a global prefix',
    controller: controllerOf('webhooks', '/scalekit/'),
    configure: prefixed,
  },
  {
    what: 'the same path, version-neutral',
    controller: controllerOf('webhooks', 'scalekit'),
    configure: versioned,
  },
  {
    what: 'the same path with another parameter',
    controller: controllerOf('hooks', ':id'),
    path: 'hooks/:tenant',
  },
];

const SHADOWS: readonly Case[] = [
  { what: 'a parameter', controller: controllerOf('webhooks', ':provider') },
  { what: 'parameters only', controller: controllerOf(':any', ':thing'), configure: prefixed },
  { what: 'a wildcard', controller: controllerOf('', '*', {}, All) },
  {
    what: 'a wildcard below a global prefix',
    controller: controllerOf('webhooks', '*', {}, All),
    configure: prefixed,
  },
  { what: 'a path in another spelling', controller: controllerOf('Webhooks', 'SCALEKIT') },
  {
    what: 'one of the paths of the endpoint',
    controller: controllerOf('hooks', 'stripe'),
    path: 'hooks/:tenant',
  },
];

const WILDCARDS: readonly Case[] = [
  { what: 'a named wildcard', controller: controllerOf('', '*path', {}, All) },
  { what: 'an optional wildcard', controller: controllerOf('', '{*path}', {}, All) },
];

const OTHERS: readonly Case[] = [
  { what: 'another path', controller: controllerOf('webhooks', 'stripe') },
  { what: 'a longer path', controller: controllerOf('webhooks/scalekit', ':id') },
  { what: 'the path of another prefix', controller: controllerOf('scalekit', ''), configure: prefixed },
  {
    what: 'a version in the URL',
    controller: controllerOf('webhooks', 'scalekit', { version: '1' }),
    configure: versioned,
  },
  {
    what: 'a version in a header',
    controller: controllerOf('webhooks', 'scalekit'),
    configure: versionedByHeader,
  },
  { what: 'a wildcard for another method', controller: controllerOf('', '*', {}, Get) },
];

async function refusal(adapter: AdapterFactory, { controller, configure, path }: Case): Promise<unknown> {
  try {
    await run(adapter, beside(controller, path), configure);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.each(ADAPTERS)('A route of the application, on %s,', (_name, adapter) => {
  it.each(SAME_PATH)('fails at startup, and is named, if it has $what', async (given) => {
    const error = await refusal(adapter, given);

    expect(error).toMatchObject({ code: 'configuration_invalid', setting: 'path' });
    expect(String(error)).toMatch(/LegacyController\.receive \(\/.*\) also matches deliveries to POST/);
  });

  it.each(OTHERS)('may have $what', async ({ controller, configure, path }) => {
    const app = await run(adapter, beside(controller, path), configure);

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });

  it('fails at startup also if it belongs to a module that is imported later', async () => {
    const controller = controllerOf('webhooks', 'scalekit');
    const later = { module: class Later {}, controllers: [controller] };
    const { imports = [], providers } = beside(controller);

    await expect(run(adapter, { imports: [...imports, later], providers })).rejects.toThrow(
      /LegacyController\.receive/,
    );
  });

  it('fails at startup if it belongs to another endpoint with the same path', async () => {
    const endpoint = (name: string) => ScalekitWebhooksModule.forRoot({ name, signingSecret: SECRET });

    await expect(run(adapter, { imports: [endpoint('a'), endpoint('b')] })).rejects.toThrow(
      /Two endpoints have the path "webhooks\/scalekit"/,
    );
  });
});

describe('A route that is registered before the endpoint', () => {
  it.each([...SHADOWS, ...WILDCARDS])('fails at startup on Express if it has $what', async (given) => {
    expect(String(await refusal(express, given))).toMatch(/LegacyController\.receive \(\/.*\) also matches/);
  });

  it.each(SHADOWS)('is no harm on Fastify if it has $what', async ({ controller, configure, path }) => {
    const app = await run(fastify, beside(controller, path), configure);
    const scalekit = new ScalekitWebhookTester(app, path ? { path: '/hooks/acme' } : {});

    expect((await scalekit.deliver(anEvent())).status).toBe(201);
  });

  // Nest 11 never sorts them.
  const itOnNest12 = process.env.NEST11_DIRECTORY ? it.skip : it;
  itOnNest12('is no harm on Express if Nest sorts routes by how specific they are', async () => {
    const controller = controllerOf('webhooks', ':provider');
    const options = { routeResolutionStrategy: 'specificity' } as const;
    const app = await run(express, beside(controller), undefined, options);

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });

  it('fails at startup on Express if it belongs to an endpoint that leaves nothing to another one', async () => {
    const endpoint = (name: string, path: string) =>
      ScalekitWebhooksModule.forRoot({ name, path, signingSecret: SECRET });
    const imports = [endpoint('tenants', 'hooks/:tenant'), endpoint('staff', 'hooks/staff')];

    await expect(run(express, { imports })).rejects.toThrow(
      /\/hooks\/:tenant.* deliveries to POST \/hooks\/staff/,
    );
  });
});

describe.each(ADAPTERS)(
  'A route for some versions with the path of the endpoint, on %s,',
  (_name, adapter) => {
    class Typed {
      @Post('scalekit')
      receive(@Body() body: unknown) {
        return { body };
      }
    }
    Controller({ path: 'webhooks', version: '1' })(Typed);
    const byAccept = (host: INestApplication) =>
      host.enableVersioning({ type: VersioningType.MEDIA_TYPE, key: 'v=' });
    const byFunction = (host: INestApplication) =>
      host.enableVersioning({
        type: VersioningType.CUSTOM,
        extractor: (request) => String(Object(request).headers['x-api']),
      });

    const cases: readonly [string, Configure, Record<string, string>][] = [
      ['a header', versionedByHeader, { 'x-version': '1' }],
      ['the Accept header', byAccept, { accept: 'application/json;v=1' }],
      ['a function', byFunction, { 'x-api': '1' }],
    ];

    it.each(cases)(
      'gets its requests with their bodies, and the endpoint the others: %s',
      async (...given) => {
        const [, configure, names] = given;
        const logger = new CapturedLogger();
        const app = await run(adapter, beside(Typed), (host) => void configure(host), { logger });
        const json = { 'content-type': 'application/json', ...names };
        const signed = signWebhook({ payload: '{"a":1}', secret: FOREIGN_SECRET });

        for (const headers of [json, { ...json, ...signed }]) {
          const answer = await send(app, { headers, body: '{"a":1}' });
          expect([answer.status, answer.text]).toEqual([201, '{"body":{"a":1}}']);
        }
        const large = createScalekitEvent('user.created', { display_name: 'x'.repeat(200_000) });
        const scalekit = new ScalekitWebhookTester(app);
        expect((await scalekit.deliver(anEvent())).status).toBe(201);
        expect((await scalekit.deliver(large)).status).toBe(201);
        expect((await scalekit.withForgedSignature(anEvent())).status).toBe(401);
        expect(
          (await send(app, { headers: { 'content-type': 'application/json' }, body: '{}' })).status,
        ).toBe(401);
        expect(logger.ours('error')).toEqual([]);
      },
    );
  },
);

describe('A route for some hosts or versions that would receive no request', () => {
  it.each<[string, AdapterFactory, object, Configure]>([
    ['is registered after the endpoint on Express', express, { version: '1' }, versionedByHeader],
    ['depends on the host on Fastify', fastify, { host: 'other.example.com' }, () => {}],
  ])('fails at startup if it %s', async (_what, adapter, options, configure) => {
    const { imports = [], providers } = beside(PlainHandlers);
    const controllers = [controllerOf('webhooks', 'scalekit', options)];
    const later = { module: class Later {}, controllers };

    await expect(run(adapter, { imports: [...imports, later], providers }, configure)).rejects.toThrow(
      /LegacyController\.receive .* would receive none.*import the module of that route before/,
    );
  });
});

describe('A route for another host', () => {
  it.each([
    ['as text', ':any.example.com'],
    ['as a pattern', /^other\.example/],
  ])(
    'with the path of the endpoint gets its requests with their bodies on Express: %s',
    async (_what, host) => {
      class Typed {
        @Post('scalekit')
        receive(@Body() body: unknown) {
          return { body };
        }
      }
      Controller({ path: 'webhooks', host })(Typed);
      const app = await run(express, beside(Typed));

      const headers = { 'content-type': 'application/json', host: 'other.example.com' };
      expect(await send(app, { headers, body: '{"a":1}' })).toMatchObject({
        status: 201,
        text: '{"body":{"a":1}}',
      });
      expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
    },
  );

  it('that takes a delivery is an error in the log', async () => {
    const logger = new CapturedLogger();
    const controller = controllerOf('webhooks', '*path', { host: '127.0.0.1' }, All);
    const app = await run(express, beside(controller), undefined, { logger });

    await new ScalekitWebhookTester(app).deliver(anEvent());

    await until(
      () => logger.ours('error'),
      ({ length }) => length > 0,
    );
    expect(logger.ours('error')).toEqual([expect.stringContaining('before it reached this module')]);
  });

  it('is no harm on Express, which passes other requests on', async () => {
    const app = await run(express, beside(controllerOf('', '*', { host: 'other.example.com' }, All)));

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });
});

describe('A route that is registered after the endpoint', () => {
  // Upper and lower case are the same on Express.
  const others = SHADOWS.filter(({ what }) => what !== 'a path in another spelling');

  it.each(others)('is no harm on Express if it has $what', async ({ controller, configure, path }) => {
    const { imports = [], providers } = beside(controller, path);
    const later = { module: class Later {}, controllers: [controller] };
    const app = await run(express, { imports: [...imports, later], providers }, configure);
    const scalekit = new ScalekitWebhookTester(app, path ? { path: '/hooks/stripe' } : {});

    expect((await scalekit.deliver(anEvent())).status).toBe(201);
  });
});

describe.each(ADAPTERS)('A signed delivery that something else answers, on %s,', (_name, adapter) => {
  async function start(configure: Configure, options: ScalekitWebhooksOptions = {}) {
    const logger = new CapturedLogger();
    const imports = [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })];
    const app = await run(adapter, { imports, providers: [PlainHandlers] }, (host) => void configure(host), {
      logger,
    });
    return { logger, scalekit: new ScalekitWebhookTester(app) };
  }

  function answerFirst(host: INestApplication): void {
    const instance = host.getHttpAdapter().getInstance();
    if (host.getHttpAdapter().getType() === 'express') {
      instance.post('/webhooks/:provider', (_request: Request, response: Response, _next: NextFunction) => {
        response.send('ok');
      });
    } else {
      instance.addHook('preHandler', async (_request: unknown, reply: FastifyReply) => reply.send('ok'));
    }
  }

  const denyAll = (host: INestApplication) => host.useGlobalGuards({ canActivate: () => false });

  it.each([
    ['a route or a hook', answerFirst, 200],
    ['a global guard', denyAll, 403],
  ])('is an error in the log, once: %s', async (_what, configure, status) => {
    const { logger, scalekit } = await start(configure);

    expect((await scalekit.withForgedSignature(anEvent())).status).toBe(status);
    expect((await scalekit.deliver(anEvent())).status).toBe(status);
    await until(
      () => logger.ours('error'),
      ({ length }) => length > 0,
    );
    expect((await scalekit.deliver(anEvent())).status).toBe(status);

    expect(logger.ours('error')).toEqual([
      expect.stringMatching(
        new RegExp(
          `signed delivery to POST /webhooks/scalekit was answered with ${status} .*controllerDecorators`,
        ),
      ),
    ]);
  });

  it('is found by the secret for its path', async () => {
    const options: ScalekitWebhooksOptions = {
      signingSecret: ({ params }) => (params.tenant === 'a' ? SECRET : undefined),
    };
    const logger = new CapturedLogger();
    const imports = [ScalekitWebhooksModule.forRoot({ ...options, path: 'hooks/:tenant' })];
    const app = await run(adapter, { imports, providers: [PlainHandlers] }, denyAll, { logger });

    await new ScalekitWebhookTester(app, { secret: SECRET, path: '/hooks/b' }).deliver(anEvent());
    await new ScalekitWebhookTester(app, { secret: SECRET, path: '/hooks/a' }).deliver(anEvent());

    await until(
      () => logger.ours('error'),
      ({ length }) => length > 0,
    );
    expect(logger.ours('error')).toHaveLength(1);
  });

  it('is no error if the endpoint itself answered, whatever it is', async () => {
    const { logger, scalekit } = await start(() => {});

    await scalekit.deliver(anEvent());
    await scalekit.deliver('no JSON');
    await scalekit.withForgedSignature(anEvent());

    expect(logger.ours('error')).toEqual([]);
  });
});

describe('The endpoint', () => {
  it('starts beside middlewares for all routes', async () => {
    class HostModule {
      configure(consumer: { apply(...m: unknown[]): { forRoutes(...routes: string[]): void } }) {
        consumer
          .apply((_request: unknown, _response: unknown, next: () => void) => next())
          .forRoutes('*path');
      }
    }
    const { imports, providers } = aPlainEndpoint();
    const app = await run(express, { imports: [...imports, { module: HostModule }], providers });

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });
});
