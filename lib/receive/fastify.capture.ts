import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { HttpServer } from '@nestjs/common';
import { isRemembered } from './captured-body.js';
import type { BodyReader } from './raw-body.capture.js';

/** What this module uses of Fastify, which is an optional peer. */
interface FastifyHooks {
  addHook(
    name: 'preParsing',
    hook: (request: FastifyRequestLike, reply: unknown, payload: Readable, done: HookDone) => void,
  ): unknown;
  addHook(
    name: 'preValidation',
    hook: (request: FastifyRequestLike, reply: unknown, done: HookDone) => void,
  ): unknown;
}

type HookDone = (error?: Error | null, payload?: Readable) => void;

interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  /** What is set here is laid over the request's own headers. */
  headers: Record<string, unknown> | undefined;
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
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    const goOn = () => done(null, payload);
    const reading = read(request.raw, payload);
    if (!reading) return goOn();
    reading.then(() => {
      request.headers = WITHOUT_BODY;
      goOn();
    }, done);
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (isRemembered(request.raw)) request.headers = undefined;
    done();
  });
}
