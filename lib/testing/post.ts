import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';

/** Where to post to. */
export interface Destination {
  readonly url: URL;
  /** The socket or pipe of a server without a port. */
  readonly socketPath?: string;
  /** Whether to accept any certificate, for an application under test that has a self-signed one. */
  readonly insecure?: boolean;
}

export interface PostedResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Posts JSON. It is not `fetch`, which can neither use a socket nor accept a self-signed certificate. */
export async function post(
  { url, socketPath, insecure = false }: Destination,
  body: Uint8Array,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<PostedResponse> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length, ...lowerCased(headers) },
      rejectUnauthorized: !insecure,
      ...(socketPath !== undefined && { socketPath }),
      ...(signal && { signal }),
    };
    const request = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
    request.on('response', resolve).on('error', reject).end(body);
  });
  const text = (await buffer(response)).toString();
  return { status: response.statusCode ?? 0, headers: toHeaders(response), text };
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function toHeaders({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}
