import 'reflect-metadata';
import { createServer, type Server } from 'node:http';
import {
  Controller,
  HttpCode,
  Module,
  Post,
  type RawBodyRequest,
  Req,
  UnauthorizedException,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';
import { Scalekit } from '@scalekit-sdk/node';
import express, { type Request } from 'express';
import fastify from 'fastify';
import { handleEvent, PATH, type Receiver, SECRET, TYPICAL_TYPE } from './receiver.js';

const sdk = new Scalekit('https://example.scalekit.dev', 'skc_1', 'none');

/** Verifies as Scalekit's guide does. */
function isAuthentic(headers: NodeJS.Dict<string | string[]>, payload: string): boolean {
  return sdk.verifyWebhookPayload(SECRET, headers as Record<string, string>, payload);
}

interface ParsedEvent {
  readonly id: string;
  readonly type: string;
}

/** Dispatches as Scalekit's guide does, without its log lines. */
export async function dispatchByHand(event: ParsedEvent): Promise<void> {
  switch (event.type) {
    case 'user.created':
    case 'user.updated':
    case 'organization.created':
    case 'membership.created':
      break;
    case TYPICAL_TYPE:
      await handleEvent(event);
      break;
  }
}

/** The Express handler in Scalekit's guide. */
export const startGuide: Receiver = async () => {
  const app = express();
  app.use(PATH, express.raw({ type: 'application/json' }));
  app.post(PATH, async (request, response) => {
    try {
      if (!isAuthentic(request.headers, request.body.toString())) {
        response.status(401).json({ error: 'Invalid signature' });
        return;
      }
      await dispatchByHand(JSON.parse(request.body.toString()));
      response.status(200).json({ received: true });
    } catch {
      response.status(500).json({ error: 'Webhook processing failed' });
    }
  });
  return app.listen(0, '127.0.0.1');
};

/** A hand-written Fastify route. */
export const startFastifyByHand: Receiver = () => startFastify(dispatchByHand);

/** A Fastify route that verifies as Scalekit's guide does, and awaits what is done with an event. */
export async function startFastify(
  handle: (event: ParsedEvent, payload: Buffer) => Promise<void>,
): Promise<Server> {
  const app = fastify();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.post<{ Body: Buffer }>(PATH, async (request, reply) => {
    const payload = request.body.toString();
    if (!isAuthentic(request.headers, payload)) return reply.code(401).send({ error: 'Invalid signature' });
    await handle(JSON.parse(payload), request.body);
    return reply.code(200).send({ received: true });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server;
}

/** The receiver of GitHub's own library. It gets the same body, signed as GitHub signs. */
export const startOctokit: Receiver = async () => {
  const webhooks = new Webhooks({ secret: SECRET });
  webhooks.on('push', ({ payload }) => handleEvent(payload));
  return createServer(createNodeMiddleware(webhooks, { path: PATH })).listen(0, '127.0.0.1');
};

@Controller()
class WebhookController {
  @Post(PATH)
  @HttpCode(200)
  async receive(@Req() request: RawBodyRequest<Request>) {
    if (!isAuthentic(request.headers, String(request.rawBody))) throw new UnauthorizedException();
    await dispatchByHand(request.body);
    return { received: true };
  }
}

@Module({ controllers: [WebhookController] })
class WebhookModule {}

/** A hand-written Nest controller on Express, with `rawBody: true`. */
export const startNestByHand: Receiver = async () => {
  const app = await NestFactory.create(WebhookModule, { rawBody: true, logger: false });
  return app.listen(0, '127.0.0.1');
};

@Controller()
class BareController {
  @Post(PATH)
  @HttpCode(200)
  async receive(@Req() request: { readonly body: object }) {
    await handleEvent(request.body);
    return { received: true };
  }
}

@Module({ controllers: [BareController] })
class BareModule {}

/** What Nest itself costs: it parses the body, and nothing verifies it. */
function startBare(newAdapter: () => AbstractHttpAdapter): Receiver {
  return async () => {
    const app = await NestFactory.create(BareModule, newAdapter(), { logger: false });
    return app.listen(0, '127.0.0.1');
  };
}

export const startBareExpress = startBare(() => new ExpressAdapter());
export const startBareFastify = startBare(() => new FastifyAdapter());
