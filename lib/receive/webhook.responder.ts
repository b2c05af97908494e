import type { ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../dispatch/dispatch.options.js';
import type { Outcome } from '../respond/outcome.js';
import { answerFor, type WebhookAnswer } from '../respond/outcome.js';
import type { ReceiveOptions } from './receive.options.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/** What this module uses of Fastify's reply. */
interface FastifyReply {
  code(status: number): FastifyReply;
  header(name: string, value: string): FastifyReply;
  send(body: object): unknown;
}

/** The response object of a platform: that of Express is Node's own. */
export type PlatformResponse = ServerResponse | FastifyReply;

/** Writes the answer itself, so that no interceptor or filter of the host changes what Scalekit sees. */
@Injectable()
export class WebhookResponder {
  constructor(@Inject(RESOLVED_OPTIONS) private readonly options: ReceiveOptions) {}

  answer(response: PlatformResponse, outcome: Outcome, retryAfterSeconds?: number): void {
    const answer = answerFor(outcome, this.options.statusCodes, retryAfterSeconds);
    if (isFastifyReply(response)) sendByFastify(response, answer);
    else sendByNode(response, answer);
  }
}

function isFastifyReply(response: PlatformResponse): response is FastifyReply {
  return 'code' in response && typeof response.code === 'function';
}

/** With the type, since a host may have given all its answers another. */
function sendByFastify(reply: FastifyReply, { status, body, retryAfterSeconds }: WebhookAnswer): void {
  if (retryAfterSeconds !== undefined) reply.header('Retry-After', String(retryAfterSeconds));
  reply.code(status).header('Content-Type', JSON_TYPE).send(body);
}

/** As Express would, but for the ETag: it hashes the answer to a POST, which nobody ever asks for again. */
function sendByNode(response: ServerResponse, { status, body, retryAfterSeconds }: WebhookAnswer): void {
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
  response.statusCode = status;
  response.setHeader('Content-Type', JSON_TYPE);
  response.end(JSON.stringify(body));
}
