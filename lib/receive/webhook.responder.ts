import type { ServerResponse } from 'node:http';
import type { WebhookAnswer } from '../respond/outcome.js';

/** What this module uses of Fastify's reply. */
interface FastifyReply {
  code(status: number): FastifyReply;
  header(name: string, value: string): FastifyReply;
  send(body: object): unknown;
}

/** The response object of a platform. Express's extends Node's. */
export type PlatformResponse = ServerResponse | FastifyReply;

// Set explicitly, since the host may have set another type for all its answers.
const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends the answer itself, so that the host's interceptors and filters cannot change what Scalekit sees. */
export function respond(response: PlatformResponse, answer: WebhookAnswer): void {
  const { status, body, retryAfterSeconds } = answer;
  if (isFastifyReply(response)) {
    if (retryAfterSeconds !== undefined) response.header('Retry-After', String(retryAfterSeconds));
    response.code(status).header('Content-Type', JSON_TYPE).send(body);
    return;
  }
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
  response.statusCode = status;
  response.setHeader('Content-Type', JSON_TYPE);
  response.end(JSON.stringify(body));
}

function isFastifyReply(response: PlatformResponse): response is FastifyReply {
  return 'code' in response && typeof response.code === 'function';
}
