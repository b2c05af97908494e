import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type HttpServer, Inject, Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError, ScalekitWebhooksError } from '../errors/errors.js';
import { DeliveryResponder, nodeResponse, type PlatformResponse } from './delivery.responder.js';
import { EndpointUrl } from './endpoint.routes.js';
import {
  type CapturedBytes,
  capturedBody,
  DeliveryReader,
  isUnread,
  type PlatformRequest,
  streamOf,
} from './raw-body.js';
import { MESSAGES } from './receive.messages.js';
import { ENDPOINT_OPTIONS, type EndpointOptions, type SigningSecretRequest } from './receive.options.js';
import { DeliveryVerifier } from './scalekit-signature.guard.js';

type Params = SigningSecretRequest['params'];

/** Captures the bodies of deliveries to one endpoint, and notices when something else responds to them. */
@Injectable()
export class DeliveryCapture {
  readonly #logger: Logger;
  #hasReportedBypass = false;

  readonly #reader: DeliveryReader;
  readonly #verifier: DeliveryVerifier;

  constructor(
    @Inject(ENDPOINT_OPTIONS) { name }: EndpointOptions,
    @Inject(EndpointUrl) readonly url: EndpointUrl,
    @Inject(DeliveryReader) reader: DeliveryReader,
    @Inject(DeliveryVerifier) verifier: DeliveryVerifier,
    @Inject(DeliveryResponder) readonly responder: DeliveryResponder,
  ) {
    this.#reader = reader;
    this.#verifier = verifier;
    this.#logger = new Logger(`ScalekitWebhooks:${name}`);
  }

  /**
   * Captures the body of a request.
   *
   * @returns the body if the request may go on. Otherwise the request is refused and answered.
   */
  async capture(
    request: PlatformRequest,
    response: PlatformResponse,
    params: Params,
  ): Promise<CapturedBytes | undefined> {
    const stream = streamOf(request);
    try {
      const body = await this.#reader.capture(request, stream);
      const sent = nodeResponse(response);
      sent.once('close', () => {
        // Frees the body if nobody has read it.
        stream.resume();
        if (sent.writableFinished && !body.hasArrived) void this.#reportBypass(body, params, sent.statusCode);
      });
      return body;
    } catch (error) {
      if (!(error instanceof ScalekitWebhooksError)) throw error;
      await this.responder.refuse(response, error);
      return undefined;
    }
  }

  /** Whether a request can be a delivery, by its headers. */
  looksSigned({ headers }: PlatformRequest): boolean {
    try {
      this.#reader.requireAcceptable(headers);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Logs that something else responded to a delivery. Only if the delivery is authentic, because anyone can send
   * requests.
   */
  async #reportBypass(body: CapturedBytes, params: Params, status: number): Promise<void> {
    if (this.#hasReportedBypass) return;
    try {
      await this.#verifier.verify(body, params);
      if (this.#hasReportedBypass) return;
      this.#hasReportedBypass = true;
      this.#logger.error(MESSAGES.bypassed(this.url.path, status));
    } catch {
      // Not authentic, or there is no logger that works.
    }
  }
}

/**
 * Captures the exact bytes of each delivery before any body parser reads them. It is installed while Nest creates the
 * application, so it runs before Nest's own parsers and before everything that `main.ts` adds.
 */
@Injectable()
export class RawBodyCapture {
  constructor(
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
    @Inject(DeliveryCapture) capture: DeliveryCapture,
  ) {
    // `Test.createTestingModule` sets the adapter after it has created the providers.
    if (host.httpAdapter) install(host.httpAdapter, capture);
    else host.init$.subscribe(() => install(host.httpAdapter, capture));
  }
}

/** @param adapter missing in an application context, such as a queue worker, which has no HTTP server */
function install(adapter: HttpServer | undefined, capture: DeliveryCapture): void {
  if (!adapter) return;
  const platform = adapter.getType();
  if (platform === 'express') captureOnExpress(adapter, capture);
  else if (platform === 'fastify') captureOnFastify(adapter, capture);
  else throw new ScalekitWebhooksConfigurationError('platform', MESSAGES.platformUnknown(platform));
}

/** The part of Express that this module uses. */
interface ExpressApplication {
  /** What all requests inherit. Its `path` is the path that Express compares with its routes. */
  readonly request: object;
  /** Handles a request, from Node's server or from an application that this one is mounted in. */
  handle(request: ExpressRequest, response: ServerResponse, next?: Next): void;
}

/** `_body` is how the body parsers of Express 4 mark a request that they have read. */
type ExpressRequest = IncomingMessage & { _body?: boolean };

type Next = (error?: unknown) => void;

/** The captures of each application's endpoints, in the order of their routes. */
const CAPTURES = new WeakMap<ExpressApplication, DeliveryCapture[]>();

function captureOnExpress(adapter: HttpServer, capture: DeliveryCapture): void {
  const application: ExpressApplication = adapter.getInstance();
  const others = CAPTURES.get(application);
  if (others) {
    // Nest may create a later endpoint first, if the options of an earlier one take time.
    others.push(capture);
    others.sort((one, other) => one.url.order - other.url.order);
    return;
  }
  const captures = [capture];
  CAPTURES.set(application, captures);
  // Before everything else: if Nest was given an Express instance, it may already have a body parser.
  const { handle } = application;
  application.handle = (request, response, next) => {
    const proceed = () => handle.call(application, request, response, next);
    const capturing = captureFirst(application, captures, request, response);
    if (!capturing) return proceed();
    // Express throws if a response was sent while the body was read.
    capturing
      .then((body) => body && proceed())
      .catch((error: unknown) => (next ? next(error) : response.destroy()));
  };
  // Once more, because a middleware may rewrite the URL: one of that instance, or one of `main.ts`.
  const middleware = (request: ExpressRequest, response: ServerResponse, next: Next) => {
    const capturing = captureFirst(application, captures, request, response);
    if (capturing) capturing.then((body) => body && next(), next);
    else next();
  };
  adapter.use(middleware);
  beforeNestsParsers(adapter, () => adapter.use(middleware));
}

function beforeNestsParsers(adapter: HttpServer, step: () => void): void {
  const { registerParserMiddleware } = adapter;
  adapter.registerParserMiddleware = (...args: Parameters<HttpServer['registerParserMiddleware']>) => {
    step();
    return registerParserMiddleware.apply(adapter, args);
  };
}

function captureFirst(
  application: ExpressApplication,
  captures: readonly DeliveryCapture[],
  request: ExpressRequest,
  response: ServerResponse,
): Promise<CapturedBytes | undefined> | undefined {
  if (request.method !== 'POST' || capturedBody(request) || !isUnread(request)) return undefined;
  const path = routedPath(application, request);
  if (path === undefined) return undefined;
  for (const capture of captures) {
    const params = capture.url.paramsOf(path);
    if (!params) continue;
    // As Express does next: what decides about a version may use its methods.
    if (capture.url.hasEarlierRoutes) Object.setPrototypeOf(request, application.request);
    const isTaken = capture.url.isTaken(path, request, response);
    // A request that looks signed may still be a delivery.
    if (isTaken && !capture.looksSigned(request)) return undefined;
    const capturing = capture.capture(request, response, params);
    return isTaken ? capturing : capturing.then((body) => body && hideBody(request, body));
  }
  captures[0]?.responder.watch(request, response, captures[0].url.path);
  return undefined;
}

/** The path that Express compares with its routes. Undefined for a URL that it cannot parse, which has no route. */
function routedPath(application: ExpressApplication, request: ExpressRequest): string | undefined {
  try {
    return Reflect.get(application.request, 'path', request);
  } catch {
    return undefined;
  }
}

/** Lets body parsers skip the request: those of Express 4 look at the mark, and those of Express 5 at the headers. */
function hideBody(request: ExpressRequest, body: CapturedBytes): CapturedBytes {
  const { headers } = request;
  const { 'content-length': _length, 'transfer-encoding': _encoding, ...others } = headers;
  request._body = true;
  request.headers = others;
  body.onArrival = () => {
    request.headers = headers;
  };
  return body;
}

/** The part of Fastify that this module uses. Fastify is an optional peer dependency. */
interface FastifyHooks {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): unknown;
  addHook(
    name: 'onRequest' | 'preValidation',
    hook: (request: FastifyRequest, reply: PlatformResponse, done: HookDone) => void,
  ): unknown;
  addHook(
    name: 'preParsing',
    hook: (request: FastifyRequest, reply: unknown, payload: Readable, done: HookDone) => void,
  ): unknown;
}

type HookDone = (error?: Error | null, payload?: Readable) => void;

const ENDPOINT = Symbol('endpoint');

interface FastifyRoute {
  readonly method: string | readonly string[];
  readonly url: string;
  readonly constraints?: { readonly version?: unknown };
  config?: { [ENDPOINT]?: DeliveryCapture };
}

interface FastifyRequest extends PlatformRequest {
  readonly params: Params;
  readonly routeOptions: Pick<FastifyRoute, 'config'>;
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

function captureOnFastify(adapter: HttpServer, capture: DeliveryCapture): void {
  const fastify: FastifyHooks = adapter.getInstance();
  const isOurs = ({ routeOptions }: FastifyRequest) => routeOptions.config?.[ENDPOINT] === capture;
  fastify.addHook('onRoute', (route) => {
    const isPost = [route.method].flat().includes('POST');
    // A route with the same path can have a version that only some requests name.
    const isOwn = isPost && route.url === capture.url.path && route.constraints?.version === undefined;
    if (isOwn) route.config = { ...route.config, [ENDPOINT]: capture };
  });
  // Before the body is parsed, and before the application's hooks that read it.
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!isOurs(request)) capture.responder.watch(request, reply, capture.url.path);
    if (!isOurs(request) || !isUnread(streamOf(request))) return done();
    capture.capture(request, reply, request.params).then((body) => body && done(), done);
  });
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    if (!isOurs(request)) return done(null, payload);
    request.headers = WITHOUT_BODY;
    // Later hooks may wait for the end of the stream, which some streams have already reached.
    const body = capturedBody(request);
    done(null, body && payload.readableEnded ? Readable.from([body.bytes]) : payload);
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (isOurs(request)) request.headers = undefined;
    done();
  });
}
