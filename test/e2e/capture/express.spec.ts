import { describe, expect, it } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { MountedExpressAdapter } from '../../helpers/mounted-express.js';
import { aPlainEndpoint, PlainHandlers } from '../../helpers/plain-endpoint.js';
import { run, runOnExpress } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/test-app.js';

const onInstanceWith = (...middlewares: readonly RequestHandler[]) =>
  run(() => new ExpressAdapter(express().use(...middlewares)), aPlainEndpoint());

const anEvent = () => createScalekitEvent('user.created');

describe('On Express a delivery', () => {
  it('is read before the body parsers of the instance that Nest is given', async () => {
    const app = await onInstanceWith(express.json());

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });

  it('is marked as read for the body parsers of Express 4, which look at nothing else', async () => {
    const marks: unknown[] = [];
    const app = await runOnExpress(aPlainEndpoint(), (host) =>
      host.use((request: Request, _response: Response, next: NextFunction) => {
        marks.push(Reflect.get(request, '_body'));
        next();
      }),
    );

    await new ScalekitWebhookTester(app).deliver(anEvent());
    await new ScalekitWebhookTester(app, { path: '/other' }).deliver(anEvent());

    expect(marks).toEqual([true, undefined]);
  });

  it('is read where a middleware of that instance has rewritten its URL', async () => {
    const app = await onInstanceWith((request, _response, next) => {
      request.url = request.url.replace(/^\/stage/, '');
      next();
    });
    const scalekit = new ScalekitWebhookTester(app, { path: '/stage/webhooks/scalekit' });

    expect((await scalekit.deliver(anEvent())).status).toBe(201);
    expect((await scalekit.withForgedSignature(anEvent())).status).toBe(401);
  });

  it('has the limits of the endpoint that its route belongs to, where several match', async () => {
    const options = { maxBodyBytes: 10_000, signingSecret: SECRET };
    const app = await runOnExpress({
      imports: [
        // Nest creates it later than the other endpoint, but registers its route first.
        ScalekitWebhooksModule.forRootAsync({
          name: 'staff',
          path: 'hooks/staff',
          useFactory: async () => {
            await new Promise(setImmediate);
            return options;
          },
        }),
        ScalekitWebhooksModule.forRoot({
          ...options,
          name: 'tenants',
          path: 'hooks/:tenant',
          maxBodyBytes: 100,
        }),
      ],
      providers: [PlainHandlers],
    });
    const scalekit = new ScalekitWebhookTester(app, { endpoint: 'staff' });

    expect((await scalekit.deliver(anEvent())).status).toBe(201);
  });

  it('is given up without harm where the host has answered it before its body came', async () => {
    const failures: unknown[] = [];
    const answerEarly = (_request: Request, response: Response, next: NextFunction) => {
      response.status(503).end();
      next();
    };
    const app = await run(
      () => new MountedExpressAdapter(answerEarly, (error) => failures.push(error)),
      aPlainEndpoint(),
    );

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(503);
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' })]);
  });
});
