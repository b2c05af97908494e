import type { ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { DeliveryLog } from '../dispatch/delivery.log.js';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import type { ScalekitWebhooksError } from '../errors/errors.js';
import {
  answerFor,
  answerForReplay,
  type Outcome,
  outcomeOfError,
  type WebhookAnswer,
} from '../respond/outcome.js';
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

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions,
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
  ) {}

  /** Responds, unless a response was sent. */
  answer(
    response: PlatformResponse,
    outcome: Outcome,
    { retryAfterSeconds, replay }: AnswerDetails = {},
  ): void {
    if (this.#isAnswered(response)) return;
    this.#answered.add(response);
    const answer = answerFor(outcome, this.options.statusCodes, retryAfterSeconds);
    send(response, replay === undefined ? answer : answerForReplay(answer, replay));
  }

  /** Logs why a delivery is refused, and responds, unless a response was sent. */
  refuse(response: PlatformResponse, error: ScalekitWebhooksError): void {
    if (this.#isAnswered(response)) return;
    const outcome = outcomeOfError(error);
    this.log.refusal(outcome, error);
    this.answer(response, outcome);
  }

  #isAnswered(response: PlatformResponse): boolean {
    return this.#answered.has(response) || nodeResponse(response).headersSent;
  }
}

// Set explicitly, because the application may have set another type for all responses.
const JSON_TYPE = 'application/json; charset=utf-8';

function send(response: PlatformResponse, answer: WebhookAnswer): void {
  const { status, body, retryAfterSeconds } = answer;
  if (isFastifyReply(response)) {
    if (retryAfterSeconds !== undefined) response.header('Retry-After', String(retryAfterSeconds));
    response.code(status).header('Content-Type', JSON_TYPE).send(body);
  } else {
    if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
    response.statusCode = status;
    response.setHeader('Content-Type', JSON_TYPE);
    response.end(JSON.stringify(body));
  }
}

/** Node's response, which Fastify's reply contains. */
export function nodeResponse(response: PlatformResponse): ServerResponse {
  return isFastifyReply(response) ? response.raw : response;
}

function isFastifyReply(response: PlatformResponse): response is FastifyReply {
  return Object.hasOwn(response, 'raw');
}
