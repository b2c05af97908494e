import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { RouterModule } from '@nestjs/core';
import express, { type RequestHandler } from 'express';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { MountedExpressAdapter } from '../../helpers/mounted-express.js';
import { aPlainEndpoint, PlainHandlers } from '../../helpers/plain-endpoint.js';
import { send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

/** Puts the bytes that it reads into the request, in some form. */
const keepingAs = (form: (bytes: Buffer) => unknown) =>
  express.json({
    verify: (request: IncomingMessage, _response: unknown, bytes: Buffer) => {
      Object.assign(request, { rawBody: form(bytes) });
    },
  });

describe('a body that somebody read before the module', () => {
  async function start(middleware: RequestHandler) {
    const logger = new CapturedLogger();
    const app = await run(() => new MountedExpressAdapter(middleware), aPlainEndpoint(), undefined, {
      logger,
    });
    return { app, logger, scalekit: new ScalekitWebhookTester(app) };
  }

  it('is answered with 500, and a log line that tells the fix', async () => {
    const { logger, scalekit } = await start(express.json());

    const answer = await scalekit.deliver(createScalekitEvent('user.created'));

    expect(answer).toMatchObject({ status: 500, body: { received: false } });
    expect(logger.ours('error')).toEqual([
      expect.stringMatching(/refused as misconfigured .*NestFactory\.create\(AppModule, { rawBody: true }\)/),
    ]);
  });

  it.each([
    ['without signature headers', {}],
    ['with some of them', { 'webhook-id': 'msg_1', 'webhook-timestamp': '1' }],
  ])('is answered with 401, and no error in the log, if it comes %s', async (_how, headers) => {
    const { app, logger } = await start(express.json());

    const { status } = await send(app, {
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
    });

    expect(status).toBe(401);
    expect(logger.ours('error')).toEqual([]);
  });

  it.each([
    ['bytes', (bytes: Buffer) => bytes],
    ['text', (bytes: Buffer) => bytes.toString()],
  ])('is verified all the same where the reader kept its %s as rawBody', async (_form, form) => {
    const { scalekit } = await start(keepingAs(form));
    const event = createScalekitEvent('user.created', { user: { id: 'usr_1', name: 'Zoë' } } as never);

    expect((await scalekit.deliver(event)).status).toBe(201);
    expect((await scalekit.withForgedSignature(event)).status).toBe(401);
  });

  it('is still limited by maxBodyBytes', async () => {
    const body = `${JSON.stringify(createScalekitEvent('user.created'))}${' '.repeat(100)}`;
    const app = await run(() => new MountedExpressAdapter(keepingAs((bytes) => bytes)), {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, maxBodyBytes: body.length - 1 })],
      providers: [PlainHandlers],
    });
    const headers = { 'content-type': 'application/json', ...signWebhook({ payload: body, secret: SECRET }) };

    // In chunks, so that no header tells the length.
    expect((await send(app, { headers, body: [Buffer.from(body)] })).status).toBe(413);
  });
});

describe.each(ADAPTERS)('a route that RouterModule moved, on %s', (_name, adapter) => {
  it('receives deliveries where it is now', async () => {
    const { imports, providers } = aPlainEndpoint();
    const moved = RouterModule.register([{ path: 'moved', module: ScalekitWebhooksModule }]);
    const app = await run(adapter, { imports: [...imports, moved], providers }, (host) =>
      host.setGlobalPrefix('api'),
    );

    expect((await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'))).status).toBe(
      201,
    );
    const { status } = await send(app, { path: '/api/moved/webhooks/scalekit' });
    expect(status).toBe(401);
  });
});
