import { describe, expect, it } from '@jest/globals';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NextFunction, Request, Response } from 'express';
import express from 'express';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { aPlainEndpoint } from '../../helpers/plain-endpoint.js';
import { send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const STAGED = '/stage/webhooks/scalekit';
const anEvent = () => createScalekitEvent('user.created');

function stripStage(request: Request, _response: Response, next: NextFunction) {
  request.url = request.url.replace(/^\/stage/, '');
  next();
}

function aDelivery(path: string) {
  const body = JSON.stringify(anEvent());
  return {
    path,
    body,
    headers: { 'content-type': 'application/json', ...signWebhook({ payload: body, secret: SECRET }) },
  };
}

describe('On Express, a delivery is handled where a middleware of main.ts rewrites its URL', () => {
  const adapter = () => new ExpressAdapter();
  const keepText = express.json({
    verify: (request, _response, bytes) => {
      Object.assign(request, { rawBody: bytes.toString() });
    },
  });

  it.each<[string, (host: NestExpressApplication) => unknown, object]>([
    ["before Nest's parsers", (host) => host.use(stripStage), {}],
    ['and Nest has no parsers', (host) => host.use(stripStage), { bodyParser: false }],
    [
      'before a parser of Nest in main.ts, with rawBody: true',
      (host) => host.use(stripStage).useBodyParser('json'),
      { rawBody: true },
    ],
    ['before a parser that keeps the body as text', (host) => host.use(stripStage).use(keepText), {}],
  ])('%s', async (_when, configure, options) => {
    const app = await run(adapter, aPlainEndpoint(), (host) => void configure(host as never), options);
    const scalekit = new ScalekitWebhookTester(app, { path: STAGED });

    expect((await scalekit.deliver(anEvent())).status).toBe(201);
    expect((await scalekit.withForgedSignature(anEvent())).status).toBe(401);
    expect((await send(app, { path: STAGED })).status).toBe(401);
  });

  it('or else is answered with 500, and the log says how to keep the body', async () => {
    const logger = new CapturedLogger();
    const configure = (host: NestExpressApplication) => host.use(stripStage).useBodyParser('json');
    const app = await run(adapter, aPlainEndpoint(), (host) => void configure(host as never), { logger });

    const unsigned = await send(app, {
      ...aDelivery(STAGED),
      headers: { 'content-type': 'application/json' },
    });
    expect(unsigned.status).toBe(401);
    expect(logger.ours('error')).toEqual([]);

    expect((await send(app, aDelivery(STAGED))).status).toBe(500);
    expect(logger.ours('error')).toEqual([expect.stringContaining('rawBody: true')]);
  });
});

describe.each(ADAPTERS)('A stranger, on %s,', (_name, adapter) => {
  const PATHS = [
    'ftp://host/webhooks/scalekit',
    'http://host/webhooks/scalekit',
    'HTTP://host:1/webhooks/scalekit?x',
    'http://user@host/webhooks/scalekit',
    'http://[',
    'http://host:99999/webhooks/scalekit',
    'http://%/webhooks/scalekit',
    '/webhooks/scalekit\u00a0',
    '/webhooks/scalekit#',
    '/webhooks\\scalekit#',
    '\\webhooks\\scalekit#',
    '/webhooks/scalekit;a=1',
    '//webhooks/scalekit',
    '/webhooks//scalekit',
    '/webhooks/scaleki%74',
    '/webhooks%2fscalekit',
    '/%77ebhooks/scalekit',
    '/./webhooks/scalekit',
    '/WEBHOOKS/scalekit/',
    '/webhooks/scalekit/?%',
  ];

  it.each(PATHS)('cannot make %j an error, however it is signed', async (path) => {
    const logger = new CapturedLogger();
    const app = await run(adapter, aPlainEndpoint(), undefined, { logger });
    const signed = aDelivery(path);
    const forged = { ...signed, headers: { ...signed.headers, 'webhook-id': 'msg_other' } };
    const unsigned = { ...signed, headers: { 'content-type': 'application/json' } };

    const statusOf = async (request: typeof signed) =>
      (await send(app, request).catch(() => ({ status: 400 }))).status;

    expect([201, 400, 404]).toContain(await statusOf(signed));
    expect([400, 401, 404]).toContain(await statusOf(forged));
    expect([400, 401, 404]).toContain(await statusOf(unsigned as never));
    expect(logger.ours('error')).toEqual([]);
  });

  it.each(['http://host/webhooks/scalekit', 'http://host/webhooks/scalekit?x'])(
    'and Scalekit reach %s',
    async (path) => {
      const app = await run(adapter, aPlainEndpoint());

      expect((await send(app, aDelivery(path))).status).toBe(201);
    },
  );
});

describe('On Express, a delivery is handled at', () => {
  it.each(['ftp://host/webhooks/scalekit', '/webhooks/scalekit#', '/Webhooks/SCALEKIT/'])(
    '%s',
    async (path) => {
      const app = await run(() => new ExpressAdapter(), aPlainEndpoint());

      expect((await send(app, aDelivery(path))).status).toBe(201);
    },
  );
});

describe('On Fastify, a delivery is handled with', () => {
  it.each([
    ['ignoreDuplicateSlashes', { ignoreDuplicateSlashes: true }, '/webhooks//scalekit'],
    ['useSemicolonDelimiter', { useSemicolonDelimiter: true }, '/webhooks/scalekit;a=1'],
    ['ignoreTrailingSlash', { ignoreTrailingSlash: true }, '/webhooks/scalekit/'],
    ['caseSensitive: false', { caseSensitive: false }, '/Webhooks/SCALEKIT'],
    ['none of them, and an escaped letter', {}, '/webhooks/scaleki%74'],
  ])('%s', async (_option, routerOptions, path) => {
    const app = await run(() => new FastifyAdapter({ routerOptions } as never), aPlainEndpoint());

    expect((await send(app, aDelivery(path))).status).toBe(201);
    const { headers, ...unsigned } = aDelivery(path);
    expect((await send(app, unsigned)).status).toBe(401);
  });

  it('rewriteUrl', async () => {
    const rewriteUrl = ({ url = '' }) => url.replace(/^\/stage/, '');
    const app = await run(() => new FastifyAdapter({ rewriteUrl }), aPlainEndpoint());

    expect((await send(app, aDelivery(STAGED))).status).toBe(201);
  });
});
