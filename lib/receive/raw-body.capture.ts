import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { type HttpServer, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { EndpointUrl } from './endpoint.url.js';
import { captureBody, isCaptured, type PlatformRequest } from './raw-body.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';

/**
 * Captures the exact bytes of each delivery before any body parser reads them. It is installed while Nest creates the
 * application, so it runs before Nest's own parsers and before everything that `main.ts` adds.
 */
@Injectable()
export class RawBodyCapture {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(EndpointUrl) private readonly url: EndpointUrl,
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
  ) {
    // `Test.createTestingModule` sets the adapter after it has created the providers.
    if (host.httpAdapter) this.#install();
    else host.init$.subscribe(() => this.#install());
  }

  #install(): void {
    const { httpAdapter } = this.host;
    // An application context, such as a queue worker, has no HTTP server.
    if (!httpAdapter) return;
    const platform = httpAdapter.getType();
    if (platform === 'express') captureOnExpress(httpAdapter, this.#capture);
    else if (platform === 'fastify') captureOnFastify(httpAdapter, this.#capture);
    else throw new ScalekitWebhooksConfigurationError('platform', MESSAGES.platformUnknown(platform));
  }

  readonly #capture: Capture = (request, stream) =>
    !isCaptured(request) && this.url.matches(request.method, request.url)
      ? captureBody(request, stream, this.options.maxBodyBytes)
      : undefined;
}

/**
 * Captures the body of a request to the endpoint. Undefined if the request goes elsewhere, or if its body is already
 * captured.
 */
type Capture = (request: PlatformRequest, stream: Readable) => Promise<void> | undefined;

/** The part of Express that this module uses. */
interface ExpressApplication {
  /** Handles a request, from Node's server or from an application that this one is mounted in. */
  handle(request: ExpressRequest, response: ServerResponse, next?: Next): void;
}

/** `_body` is how the body parsers of Express 4 mark a request that they have read. */
type ExpressRequest = IncomingMessage & { _body?: boolean };

type Next = (error?: unknown) => void;

/** The captures of each application's endpoints, in the order of their routes. */
const CAPTURES = new WeakMap<ExpressApplication, Capture[]>();

function captureOnExpress(adapter: HttpServer, capture: Capture): void {
  const application: ExpressApplication = adapter.getInstance();
  // If Nest was given an Express instance, this runs after its middlewares, because one of them may have rewritten the URL.
  adapter.use((request: ExpressRequest, _response: ServerResponse, next: Next) => {
    const capturing = captureFirst([capture], request);
    if (capturing) capturing.then(() => next(), next);
    else next();
  });
  const captures = CAPTURES.get(application);
  if (captures) captures.push(capture);
  else captureBeforeMiddlewares(application, [capture]);
}

// Replaces `handle`, because an Express instance that Nest was given may already have a body parser: see express.spec.ts.
function captureBeforeMiddlewares(application: ExpressApplication, captures: Capture[]): void {
  CAPTURES.set(application, captures);
  const { handle } = application;
  application.handle = (request, response, next) => {
    const proceed = () => handle.call(application, request, response, next);
    const capturing = captureFirst(captures, request);
    if (!capturing) return proceed();
    // Express throws if a response was sent while the body was read.
    capturing.then(proceed).catch((error: unknown) => (next ? next(error) : response.destroy()));
  };
}

function captureFirst(captures: readonly Capture[], request: ExpressRequest): Promise<void> | undefined {
  for (const capture of captures) {
    const capturing = capture(request, request);
    if (!capturing) continue;
    request._body = true;
    return capturing;
  }
  return undefined;
}

/** The part of Fastify that this module uses. Fastify is an optional peer dependency. */
interface FastifyHooks {
  addHook(
    name: 'preParsing',
    hook: (request: FastifyRequest, reply: unknown, payload: Readable, done: HookDone) => void,
  ): unknown;
  addHook(
    name: 'preValidation',
    hook: (request: FastifyRequest, reply: unknown, done: HookDone) => void,
  ): unknown;
}

type HookDone = (error?: Error | null, payload?: Readable) => void;

interface FastifyRequest extends PlatformRequest {
  /** Assigning an object overrides these headers; assigning undefined removes the overrides. */
  set headers(overrides: IncomingHttpHeaders | undefined);
  get headers(): IncomingHttpHeaders;
}

// Without these headers Fastify expects no body, so it does not respond with its own 400, 413 or 415.
const WITHOUT_BODY: IncomingHttpHeaders = {
  'content-type': undefined,
  'content-length': undefined,
  'transfer-encoding': undefined,
};

function captureOnFastify(adapter: HttpServer, capture: Capture): void {
  const fastify: FastifyHooks = adapter.getInstance();
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    const capturing = capture(request, payload);
    if (!capturing) return done(null, payload);
    capturing.then(() => {
      request.headers = WITHOUT_BODY;
      done(null, payload);
    }, done);
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (isCaptured(request)) request.headers = undefined;
    done();
  });
}
