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
export type PlatformResponse = ServerResponse | FastifyReply;

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
  /**
   * The statuses that this module has decided, and undefined for authentic deliveries that it has yet to answer. Fastify sends
   * a response only after its hooks, so the response itself does not tell.
   */
  readonly #statuses = new WeakMap<PlatformResponse, number | undefined>();
  /** What is known of the events, for observers. */
  readonly #events = new WeakMap<PlatformResponse, ParsedEvent>();
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
    this.#statuses.set(response, answer.status);
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
    this.#statuses.set(response, undefined);
    if (this.#isAnswered(response)) return;
    const answered = () => new DeliveryRefusedError('unavailable', MESSAGES.answeredByApplication);
    const { unavailable } = this.#options.statusCodes;
    const node = nodeResponse(response);
    node.statusCode = unavailable;
    // What is written past the methods of Express and Fastify, such as a stream, begins with Node's.
    const { writeHead } = node;
    node.writeHead = (status: number, ...others: unknown[]) => {
      const decided = this.#statuses.get(response);
      const isAllowed = !isSuccess(status) || status === decided;
      const sent = isAllowed ? status : (decided ?? unavailable);
      if (decided === undefined) {
        this.#statuses.set(response, unavailable);
        this.#log.refusal('unavailable', answered());
        this.#observe(response, 'unavailable', sent);
      }
      return Reflect.apply(writeHead, node, [sent, ...others]);
    };
    gateOf(response).close(() => void this.refuse(response, answered()));
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
    if (this.#log.observers) this.#events.set(response, parsed);
  }

  /** Tells observers how the delivery was answered. */
  #observe(response: PlatformResponse, outcome: Outcome, status: number): void {
    const { observers } = this.#log;
    if (!observers) return;
    const endpoint = this.#options.name;
    const { receivedAt } = capturedBody(requestOf(response)) ?? {};
    const parsed = this.#events.get(response);
    observers.tell('onDelivery', {
      endpoint,
      ...(parsed && observedEvent(endpoint, parsed)),
      outcome,
      status,
      durationMs: receivedAt ? Date.now() - receivedAt.getTime() : 0,
      issues: parsed?.issues ?? [],
    });
  }

  /** Whether it is too late for an answer. Says so in the log, once, if an authentic delivery got a success too early. */
  #isAnswered(response: PlatformResponse): boolean {
    if (this.#statuses.get(response) !== undefined) return true;
    const { headersSent, statusCode } = nodeResponse(response);
    const isEarly = headersSent && isSuccess(statusCode) && this.#statuses.has(response);
    if (isEarly && !this.#hasReportedEarlyAnswer) {
      this.#hasReportedEarlyAnswer = true;
      this.#log.error(MESSAGES.answeredEarly(statusCode));
    }
    return headersSent;
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

const GATES = new WeakMap<PlatformResponse, Gate>();

function gateOf(response: PlatformResponse): Gate {
  const known = GATES.get(response);
  if (known) return known;
  const gate = new Gate(response);
  GATES.set(response, gate);
  return gate;
}

/** Stands between the application and the methods by which Nest, Express and Fastify send a response. */
class Gate {
  #isOpen = true;
  /** Called instead of sending. */
  #instead = () => {};

  constructor(response: PlatformResponse) {
    // The methods of the prototype, because the application may have replaced those of the response.
    const { status, code, send, json } = Object.getPrototypeOf(response);
    const pass = (method: (...args: unknown[]) => unknown, args: unknown[], instead?: () => void) => {
      if (this.#isOpen) return Reflect.apply(method, response, args);
      instead?.();
      return response;
    };
    const instead = () => this.#instead();
    Object.assign(response, {
      status: (...args: unknown[]) => pass(status, args),
      code: (...args: unknown[]) => pass(code, args),
      send: (...args: unknown[]) => pass(send, args, instead),
      json: (...args: unknown[]) => pass(json, args, instead),
    });
  }

  open(): void {
    this.#isOpen = true;
  }

  close(instead = () => {}): void {
    this.#isOpen = false;
    this.#instead = instead;
  }
}

// Set explicitly, because the application may have set another type for all responses.
const JSON_TYPE = 'application/json; charset=utf-8';

async function send(response: PlatformResponse, answer: WebhookAnswer): Promise<void> {
  const { status, body, retryAfterSeconds } = answer;
  const gate = gateOf(response);
  gate.open();
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
  gate.close();
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
