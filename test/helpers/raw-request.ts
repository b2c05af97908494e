import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';

/** A request with exactly these headers. A list of chunks is sent without a Content-Length. */
export interface RawRequest {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | string | readonly Uint8Array[];
}

interface RawResponse {
  readonly status: number | undefined;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

export function portOf(app: INestApplication): number {
  const { port }: AddressInfo = app.getHttpServer().address();
  return port;
}

/** Sends a request on a new connection. */
export async function send(
  app: INestApplication,
  { path = '/webhooks/scalekit', method = 'POST', headers = {}, body = '' }: RawRequest,
): Promise<RawResponse> {
  const outgoing = request({ host: '127.0.0.1', port: portOf(app), path, method, headers, agent: false });
  if (typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body);
  else {
    for (const chunk of body) outgoing.write(chunk);
    outgoing.end();
  }
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return {
    status: incoming.statusCode,
    text: Buffer.concat(chunks).toString(),
    headers: incoming.headers,
  };
}
