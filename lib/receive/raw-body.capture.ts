import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { type HttpServer, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { isRemembered, rememberBody } from './captured-body.js';
import { EndpointUrl } from './endpoint.url.js';
import { readBody } from './read-body.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';

/** Reads the body of a request to the endpoint; undefined for any other request, and for a body that was read before. */
type BodyReader = (message: IncomingMessage, body: Readable) => Promise<void> | undefined;

/**
 * Takes the exact bytes of each delivery before any body parser sees them. It is set up while the application is
 * being created, ahead of Nest's own parsers and of everything that `main.ts` adds; on Express, ahead of every middleware.
 */
@Injectable()
export class RawBodyCapture {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(EndpointUrl) private readonly url: EndpointUrl,
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
  ) {
    // Under `Test.createTestingModule` the adapter comes later than the providers.
    if (host.httpAdapter) this.#install();
    else host.init$.subscribe(() => this.#install());
  }

  #install(): void {
    const { httpAdapter } = this.host;
    // An application context, such as a queue's worker, has no HTTP.
    if (!httpAdapter) return;
    const platform = httpAdapter.getType();
    if (platform === 'express') captureOnExpress(httpAdapter, this.#read);
    else if (platform === 'fastify') captureOnFastify(httpAdapter, this.#read);
    else throw new ScalekitWebhooksConfigurationError('platform', MESSAGES.platformUnknown(platform));
  }

  readonly #read: BodyReader = (message, body) =>
    this.url.matches(message.method, message.url) && !isRemembered(message)
      ? this.#capture(message, body)
      : undefined;

  async #capture(message: IncomingMessage, body: Readable): Promise<void> {
    rememberBody(message, await readBody(body, message.headers, this.options.maxBodyBytes));
  }
}

/** What this module uses of Express. */
interface ExpressApplication {
  /** Takes each request, from Node's server or from an application that this one is mounted in. */
  handle(message: IncomingMessage, response: ServerResponse, next?: Next): void;
}

type Next = (error?: unknown) => void;

// In the order in which the endpoints were set up, which is also that of their routes.
const READERS = new WeakMap<ExpressApplication, BodyReader[]>();

/**
 * On Express: before Express itself and all its middlewares, since Express adds to each request in a way that makes every
 * later look at it slow. A body that was read to its end is left alone by body-parser. A middleware looks once more, for
 * requests whose URL another one has rewritten.
 */
function captureOnExpress(adapter: HttpServer, read: BodyReader): void {
  const application: ExpressApplication = adapter.getInstance();
  adapter.use((message: IncomingMessage, _response: unknown, next: Next) => {
    const reading = read(message, message);
    if (reading) reading.then(() => next(), next);
    else next();
  });
  const readers = READERS.get(application);
  if (readers) readers.push(read);
  else readAhead(application, [read]);
}

function readAhead(application: ExpressApplication, readers: BodyReader[]): void {
  READERS.set(application, readers);
  const { handle } = application;
  application.handle = (message, response, next) => {
    const reading = firstReading(readers, message);
    if (!reading) return handle.call(application, message, response, next);
    // Express throws where the request was answered while its body came.
    const giveUp = (error: unknown) => (next ? next(error) : response.destroy());
    reading.then(() => handle.call(application, message, response, next)).catch(giveUp);
  };
}

function firstReading(readers: readonly BodyReader[], message: IncomingMessage): Promise<void> | undefined {
  for (const read of readers) {
    const reading = read(message, message);
    if (reading) return reading;
  }
  return undefined;
}

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
function captureOnFastify(adapter: HttpServer, read: BodyReader): void {
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
