import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { createScalekitEvent, ScalekitWebhookTester, signWebhook } from 'nestjs-scalekit-webhooks/testing';
import { BODY_READERS } from '../../helpers/body-readers.js';
import { aPlainEndpoint } from '../../helpers/plain-endpoint.js';
import { portOf, send } from '../../helpers/raw-request.js';
import { run } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/test-app.js';

// Both come with Express and with Nest.
const require = createRequire(import.meta.url);
const multer: () => { any(): RequestHandler } = require('multer');
const getRawBody: (stream: Readable, options: object) => Promise<Buffer> = require('raw-body');

const anEvent = () => createScalekitEvent('user.created');
const adapter = () => new ExpressAdapter();
const onInstanceWith = (middleware: RequestHandler) =>
  run(() => new ExpressAdapter(express().use(middleware)), aPlainEndpoint());
const behind = (middleware: RequestHandler) => run(adapter, aPlainEndpoint(), (host) => host.use(middleware));

function signed(payload: string | Buffer): IncomingHttpHeaders {
  return { 'content-type': 'application/json', ...signWebhook({ payload, secret: SECRET }) };
}

function readingWith(read: (stream: Readable) => Promise<string>, seen: string[] = []): RequestHandler {
  return async (incoming, _response, next) => {
    seen.push(await read(incoming));
    next();
  };
}

/** Reads as the body parsers of Express 4 do: without asking whether the stream has ended. */
function parserOfExpress4(incoming: Request & { _body?: boolean }, _response: Response, next: NextFunction) {
  const expected = incoming.headers['content-length'];
  if (incoming._body || expected === undefined) return next();
  let length = 0;
  incoming.on('data', (chunk: Buffer) => {
    length += chunk.length;
  });
  incoming.on('end', () => next(length === Number(expected) ? undefined : new Error('wrong length')));
}

async function rawBodyAsDocumented(incoming: Request, _response: Response, next: NextFunction) {
  await getRawBody(incoming, { length: incoming.headers['content-length'], limit: '1mb' });
  next();
}

async function parserOfItsOwn(incoming: Request, _response: Response, next: NextFunction) {
  if (incoming.method === 'POST') JSON.parse(await text(incoming));
  next();
}

describe('On Express, a delivery', () => {
  it.each(BODY_READERS)('is handled where a middleware of main.ts %s, and sees it', async (_how, read) => {
    const seen: string[] = [];
    const app = await behind(readingWith(read, seen));
    const body = JSON.stringify(anEvent());

    expect((await new ScalekitWebhookTester(app).deliver(body)).status).toBe(201);
    expect(seen).toEqual([body]);
  });

  it.each(BODY_READERS)('is handled where a middleware of its Express instance %s', async (_how, read) => {
    const app = await onInstanceWith(readingWith(read));

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });

  it('is handled where a middleware reads it late', async () => {
    const app = await behind(
      readingWith(async (stream) => {
        await new Promise(setImmediate);
        return text(stream);
      }),
    );

    expect((await new ScalekitWebhookTester(app).deliver(anEvent())).status).toBe(201);
  });

  it.each<[string, RequestHandler]>([
    ['parsers that read like those of Express 4', parserOfExpress4],
    ['multer', multer().any()],
    ['express.text', express.text({ type: '*/*' })],
    ['raw-body, as its documentation shows it', rawBodyAsDocumented],
    ['a parser of its own that takes nothing but JSON', parserOfItsOwn],
  ])('is handled beside %s', async (_what, middleware) => {
    const event = anEvent();

    for (const app of [await behind(middleware), await onInstanceWith(middleware)]) {
      expect((await new ScalekitWebhookTester(app).deliver(event)).status).toBe(201);
    }
  });

  it.each(BODY_READERS)('without a body is refused where a middleware %s', async (_how, read) => {
    const app = await behind(readingWith(read));
    const headers = signed('');

    expect((await send(app, { headers })).status).toBe(400);
    expect((await send(app, { headers: { ...headers, 'transfer-encoding': 'chunked' } })).status).toBe(400);
  });

  it('has no body in req.body, but all of its headers, for the interceptors', async () => {
    const seen: unknown[] = [];
    const app = await run(adapter, aPlainEndpoint(), (host) => {
      (host as NestExpressApplication).useBodyParser('json');
      host.useGlobalInterceptors({
        intercept: (context, next) => {
          const { body, headers } = context.switchToHttp().getRequest<Request>();
          seen.push(body, Number(headers['content-length']) > 0);
          return next.handle();
        },
      });
    });

    await new ScalekitWebhookTester(app).deliver(anEvent());

    expect(seen).toEqual([undefined, true]);
  });

  it('leaves its connection to the next one, refused or not', async () => {
    const app = await run(adapter, aPlainEndpoint());
    const payload = JSON.stringify(anEvent());
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const post = async (headers: IncomingHttpHeaders) => {
      const path = '/webhooks/scalekit';
      const outgoing = request({ agent, port: portOf(app), method: 'POST', path, headers });
      outgoing.end(payload);
      const [response] = await once(outgoing, 'response');
      await text(response);
      return [response.statusCode, outgoing.reusedSocket];
    };

    const answers = [await post(signed(payload)), await post({}), await post(signed(payload))];
    agent.destroy();

    expect(answers).toEqual([
      [201, false],
      [401, true],
      [200, true],
    ]);
  });
});
