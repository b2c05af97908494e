import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DeliveryLog } from '../dispatch/delivery.log.js';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import type { ScalekitWebhooksError } from '../errors/errors.js';
import {
  answerFor,
  answerForReplay,
  DeliveryRefusedError,
  type Outcome,
  outcomeOfError,
  type WebhookAnswer,
} from '../respond/outcome.js';
import { MESSAGES } from './receive.messages.js';
import type { ReceiveOptions } from './receive.options.js';

/** The part of Fastify's reply that this module uses. */
interface FastifyReply {
  readonly raw: ServerResponse;
  code(status: number): FastifyReply;
  header(name: string, value: string): FastifyReply;
  send(body: object): unknown;
}

/** The response object of a platform. Express's extends Node's. */
export type PlatformResponse = ServerResponse | FastifyReply;

/** What belongs to an answer besides its outcome. */
interface AnswerDetails {
  readonly retryAfterSeconds?: number | undefined;
  /** How the replay ended that the delivery asked for. */
  readonly replay?: string | undefined;
}

/** Responds to the deliveries of one endpoint, so that nothing in the application changes what Scalekit sees. */
@Injectable()
export class DeliveryResponder {
  // Fastify sends a response only after its hooks, so the response itself does not tell.
  readonly #answered = new WeakSet<PlatformResponse>();

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
    this.#answered.add(response);
    const answer = answerFor(outcome, this.#options.statusCodes, retryAfterSeconds);
    await send(response, replay === undefined ? answer : answerForReplay(answer, replay));
  }

  /** Logs why a delivery is refused, and responds, unless a response was sent. */
  async refuse(response: PlatformResponse, error: ScalekitWebhooksError): Promise<void> {
    if (this.#isAnswered(response)) return;
    const outcome = outcomeOfError(error);
    this.#log.refusal(outcome, error);
    await this.answer(response, outcome);
  }

  /**
   * Whatever the application sends from now on in the place of this module, such as the result of an interceptor that
   * does not call `next.handle()`, is replaced: as a success, it would acknowledge an event that no handler has seen.
   */
  reserve(response: PlatformResponse): void {
    const instead = () => {
      void this.refuse(response, new DeliveryRefusedError('unavailable', MESSAGES.answeredByApplication));
      return response;
    };
    // Also for what is written past these methods, such as a stream.
    nodeResponse(response).statusCode = this.#options.statusCodes.unavailable;
    replaceMethods(response, { status: () => response, code: () => response, send: instead, json: instead });
  }

  #isAnswered(response: PlatformResponse): boolean {
    return this.#answered.has(response) || nodeResponse(response).headersSent;
  }
}

/** The methods by which Nest, Express and Fastify send. */
const METHODS = ['status', 'code', 'send', 'json'] as const;

function replaceMethods(
  response: PlatformResponse,
  methods: Record<(typeof METHODS)[number], () => unknown>,
) {
  Object.assign(response, methods);
}

function restoreMethods(response: PlatformResponse): void {
  for (const method of METHODS) Reflect.deleteProperty(response, method);
}

// Set explicitly, because the application may have set another type for all responses.
const JSON_TYPE = 'application/json; charset=utf-8';

async function send(response: PlatformResponse, answer: WebhookAnswer): Promise<void> {
  const { status, body, retryAfterSeconds } = answer;
  restoreMethods(response);
  if (isFastifyReply(response)) {
    if (retryAfterSeconds !== undefined) response.header('Retry-After', String(retryAfterSeconds));
    response.code(status).header('Content-Type', JSON_TYPE).send(body);
    // Hooks of the application may take their time, and may fail. It does not matter whether the client is still there.
    await finished(response.raw).catch(() => {});
  } else {
    if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
    response.statusCode = status;
    response.setHeader('Content-Type', JSON_TYPE);
    response.end(JSON.stringify(body));
  }
  // Nest sends the result of a handler: that would fail now, and change the status that the application logs.
  const ignore = () => response;
  replaceMethods(response, { status: ignore, code: ignore, send: ignore, json: ignore });
}

/** Node's response, which Fastify's reply contains. */
export function nodeResponse(response: PlatformResponse): ServerResponse {
  return isFastifyReply(response) ? response.raw : response;
}

function isFastifyReply(response: PlatformResponse): response is FastifyReply {
  return Object.hasOwn(response, 'raw');
}
