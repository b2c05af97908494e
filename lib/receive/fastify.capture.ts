import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { HttpServer } from '@nestjs/common';
import { isRemembered } from './captured-body.js';
import type { BodyReader } from './raw-body.capture.js';

/** What this module uses of Fastify, which is an optional peer. */
interface FastifyHooks {
  addHook(
    name: 'preParsing',
    hook: (request: FastifyRequestLike, reply: unknown, payload: Readable) => Promise<Readable>,
  ): unknown;
  addHook(name: 'preValidation', hook: (request: FastifyRequestLike) => Promise<void>): unknown;
}

interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  headers: Record<string, unknown>;
}

// Without these, Fastify sees no body, and answers neither 415 nor 413 nor 400 for one in our stead.
const WITHOUT_BODY = {
  'content-type': undefined,
  'content-length': undefined,
  'transfer-encoding': undefined,
};

/** On Fastify: a `preParsing` hook, after which there is nothing left to parse. */
export function captureOnFastify(adapter: HttpServer, read: BodyReader): void {
  const fastify: FastifyHooks = adapter.getInstance();
  fastify.addHook('preParsing', async (request, _reply, payload) => {
    if (await read(request.raw, payload)) request.headers = WITHOUT_BODY;
    return payload;
  });
  fastify.addHook('preValidation', async (request) => {
    if (isRemembered(request.raw)) request.headers = {};
  });
}
