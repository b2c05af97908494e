import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DeliveryLog } from '../dispatch/delivery.log.js';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { observedEvent } from '../dispatch/observers.js';
import type { ScalekitWebhooksError } from '../errors/errors.js';
import type { ParsedEvent } from '../parse/parse-event.js';
import {
  answerFor,
  answerForReplay,
  DeliveryRefusedError,
  type Outcome,
  outcomeOfError,
  type WebhookAnswer,
} from '../respond/outcome.js';
import { capturedBody, ownValue, type PlatformRequest } from './raw-body.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';

/** The part of Fastify's reply that this module uses. */
interface FastifyReply {
  readonly raw: ServerResponse;
  /** Whether it sends nothing more: it has sent a response, or was hijacked. */
  readonly sent: boolean;
  readonly request: PlatformRequest;
  code(status: number): FastifyReply;
  header(name: string, value: string): FastifyReply;
  send(body: object): unknown;
}

/** The response object of a platform. Express's extends Node's. */
export type PlatformResponse = (ServerResponse | FastifyReply) & { [STATE]?: AnswerState };

const STATE = Symbol('state of the answer');

/** How far the answer to a delivery has come. The response holds it. */
class AnswerState {
  /** Whether the delivery is authentic, so that only this module may answer it. */
  isReserved = false;
  /** The status that this module has decided. Fastify sends only after its hooks, so the response itself does not tell. */
  status?: number;
  /** Called instead of sending. If it is undefined, the methods of the response send. */
  instead?: (() => void) | undefined;
  /** Private, because an application may log its responses. */
  #event?: ParsedEvent;
  readonly #prototype: object;

  constructor(response: PlatformResponse) {
    this.#prototype = Object.getPrototypeOf(response);
  }

  /** The event of the delivery, for observers. */
  get event(): ParsedEvent | undefined {
    return this.#event;
  }

  identify(event: ParsedEvent): void {
    this.#event = event;
  }

  /** Calls a method as the platform defines it, because the application may have replaced it. */
  call(method: SendingMethod, response: PlatformResponse, args: unknown[]): unknown {
    return Reflect.apply(Reflect.get(this.#prototype, method), response, args);
  }
}

type SendingMethod = 'status' | 'code' | 'send' | 'json';
type Sender = (this: PlatformResponse, ...args: unknown[]) => unknown;

/** Take the place of the methods by which Nest, Express and Fastify send. */
const METHODS = {
  status: sender('status'),
  code: sender('code'),
  send: sender('send'),
  json: sender('json'),
};

function sender(method: SendingMethod): Sender {
  return function (...args) {
    const state = stateOf(this);
    if (!state.instead) return state.call(method, this, args);
    if (method === 'send' || method === 'json') state.instead();
    return this;
  };
}

function stateOf(response: PlatformResponse): AnswerState {
  const known = response[STATE];
  if (known) return known;
  const state = new AnswerState(response);
  Object.assign(response, METHODS, { [STATE]: state });
  return state;
}

/** What belongs to an answer in addition to its outcome. */
interface AnswerDetails {
  readonly retryAfterSeconds?: number | undefined;
  /** How the replay that the delivery asked for ended. */
  readonly replay?: string | undefined;
}

/** The responses that one of an application's endpoints watches. */
const WATCHED = new WeakSet<ServerResponse>();

/** Responds to the deliveries of one endpoint, so that nothing in the application changes what Scalekit sees. */
@Injectable()
export class DeliveryResponder {
  #hasReportedEarlyAnswer = false;
  #hasReportedMiss = false;

  readonly #options: ReceiveOptions;
  readonly #log: DeliveryLog;

  constructor(@Inject(RESOLVED_OPTIONS) options: ReceiveOptions, @Inject(DeliveryLog) log: DeliveryLog) {
    this.#options = options;
    this.#log = log;
  }

  /** Responds, unless a response was sent. Resolves when nothing that is sent afterwards can have an effect. */
  async answer(
    response: PlatformResponse,
    outcome: Outcome,
    { retryAfterSeconds, replay }: AnswerDetails = {},
  ): Promise<void> {
    if (this.#isAnswered(response)) return;
    const answer = answerFor(outcome, this.#options.statusCodes, retryAfterSeconds);
    stateOf(response).status = answer.status;
    const sending = send(response, replay === undefined ? answer : answerForReplay(answer, replay));
    this.#observe(response, outcome, answer.status);
    await sending;
  }

  /** Logs why a delivery is refused, and responds, unless a response was sent. */
  async refuse(response: PlatformResponse, error: ScalekitWebhooksError): Promise<void> {
    if (this.#isAnswered(response)) return;
    const outcome = outcomeOfError(error);
    this.#log.refusal(outcome, error);
    await this.answer(response, outcome);
  }

  /**
   * Replaces whatever the application sends from now on instead of this module, such as the result of an interceptor that
   * does not call `next.handle()`. If it were a success, it would acknowledge an event that no handler has seen.
   */
  reserve(response: PlatformResponse): void {
    const state = stateOf(response);
    state.isReserved = true;
    if (this.#isAnswered(response)) return;
    const answered = () => new DeliveryRefusedError('unavailable', MESSAGES.answeredByApplication);
    const { unavailable } = this.#options.statusCodes;
    const node = nodeResponse(response);
    node.statusCode = unavailable;
    // What is written past the methods of Express and Fastify, such as a stream, begins with Node's.
    const { writeHead } = node;
    node.writeHead = (status: number, ...others: unknown[]) => {
      const decided = state.status;
      const isAllowed = !isSuccess(status) || status === decided;
      const sent = isAllowed ? status : (decided ?? unavailable);
      if (decided === undefined) {
        state.status = unavailable;
        this.#log.refusal('unavailable', answered());
        this.#observe(response, 'unavailable', sent);
      }
      return Reflect.apply(writeHead, node, [sent, ...others]);
    };
    state.instead = () => void this.refuse(response, answered());
  }

  /**
   * Logs that a request that looks like a delivery got a 404 at another path. Only once, because anyone can send requests.
   */
  watch(request: PlatformRequest, response: PlatformResponse, endpoint: string): void {
    const { headers, url = '' } = request;
    const sent = nodeResponse(response);
    const signature = ownValue(headers, 'webhook-signature') ?? ownValue(headers, 'scalekit-signature');
    if (signature === undefined || WATCHED.has(sent)) return;
    WATCHED.add(sent);
    sent.once('close', () => {
      if (sent.statusCode !== 404 || capturedBody(request) || this.#hasReportedMiss) return;
      this.#hasReportedMiss = true;
      this.#log.warn(MESSAGES.notFound(url.replace(/\?.*/s, ''), endpoint));
    });
  }

  /** The delivery is of this event. */
  identify(response: PlatformResponse, parsed: ParsedEvent): void {
    if (this.#log.observers) stateOf(response).identify(parsed);
  }

  /** Tells observers how the delivery was answered. */
  #observe(response: PlatformResponse, outcome: Outcome, status: number): void {
    const { observers } = this.#log;
    if (!observers) return;
    const endpoint = this.#options.name;
    const { receivedAt } = capturedBody(requestOf(response)) ?? {};
    const parsed = response[STATE]?.event;
    observers.tell('onDelivery', {
      endpoint,
      ...(parsed && observedEvent(endpoint, parsed)),
      outcome,
      status,
      durationMs: receivedAt ? Date.now() - receivedAt.getTime() : 0,
      issues: parsed?.issues ?? [],
    });
  }

  /**
   * Whether it is too late for an answer. Says so in the log, once, if an authentic delivery got a success too early. A response
   * that the application has begun is ended when Nest sends.
   */
  #isAnswered(response: PlatformResponse): boolean {
    const state = response[STATE];
    if (state?.status !== undefined) return true;
    const { headersSent, statusCode } = nodeResponse(response);
    const isEarly = headersSent && isSuccess(statusCode) && state?.isReserved;
    if (isEarly && !this.#hasReportedEarlyAnswer) {
      this.#hasReportedEarlyAnswer = true;
      this.#log.error(MESSAGES.answeredEarly(statusCode));
    }
    // Nest would send the result of the handler now. On Nest 11 with Fastify, that is an unhandled rejection.
    if (headersSent) stateOf(response).instead = () => void nodeResponse(response).end();
    return headersSent;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

// Set explicitly, because the application may have set another type for all responses.
const JSON_TYPE = 'application/json; charset=utf-8';

async function send(response: PlatformResponse, answer: WebhookAnswer): Promise<void> {
  const { status, body, retryAfterSeconds } = answer;
  const state = stateOf(response);
  state.instead = undefined;
  if (isFastifyReply(response) && !response.sent) {
    if (retryAfterSeconds !== undefined) response.header('Retry-After', String(retryAfterSeconds));
    response.code(status).header('Content-Type', JSON_TYPE).send(body);
    // Hooks of the application may be slow, and may fail. It does not matter whether the client is still there.
    if (!response.raw.writableEnded) await finished(response.raw).catch(() => {});
  } else {
    const node = nodeResponse(response);
    if (retryAfterSeconds !== undefined) node.setHeader('Retry-After', retryAfterSeconds);
    node.statusCode = status;
    node.setHeader('Content-Type', JSON_TYPE);
    node.end(JSON.stringify(body));
  }
  // Nest sends the result of a handler: that would fail now, and change the status that the application logs.
  state.instead = () => {};
}

/** Node's response, which Fastify's reply contains. */
export function nodeResponse(response: PlatformResponse): ServerResponse {
  return isFastifyReply(response) ? response.raw : response;
}

/** The request that is answered: Express's extends Node's. */
function requestOf(response: PlatformResponse): PlatformRequest {
  return isFastifyReply(response) ? response.request : response.req;
}

function isFastifyReply(response: PlatformResponse): response is FastifyReply {
  return Object.hasOwn(response, 'raw');
}
