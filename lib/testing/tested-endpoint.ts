import { type Server as HttpServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Server as TlsServer } from 'node:tls';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { describeValue, refuseSetting } from '../errors/settings.js';
import type { EndpointUrl } from '../receive/endpoint.routes.js';
import type { EndpointSecrets } from '../receive/endpoint.secrets.js';
import {
  DEFAULT_NAME,
  ENDPOINT_OPTIONS,
  ENDPOINT_SECRETS,
  ENDPOINT_URL,
  type EndpointOptions,
} from '../receive/receive.options.js';

const MESSAGES = {
  noSecret: (endpoint: string) =>
    `No signing secret was found for the endpoint "${endpoint}". Pass the secret to sign with, for example new ScalekitWebhookTester(app, { secret }).`,
  noEndpoint: (endpoint: string) =>
    `The application has no endpoint "${endpoint}". Import ScalekitWebhooksModule, or pass the name of the endpoint, for example new ScalekitWebhookTester(app, { endpoint: 'partners' }).`,
} as const;

/** @throws ScalekitWebhooksConfigurationError unless the value is a path to post to */
export function requirePath(setting: string, value: unknown): void {
  if (typeof value === 'string' && value.startsWith('/')) return;
  refuseSetting(setting, `${setting} must be a path that starts with "/", found ${describeValue(value)}.`);
}

// Several testers, or several deliveries at once, start an application only once.
const STARTING = new WeakMap<INestApplication, Promise<unknown>>();

/** An endpoint of an application under test, found by its name. */
export class TestedEndpoint {
  readonly #app: INestApplication;
  readonly #name: string;

  constructor(app: INestApplication, name = DEFAULT_NAME) {
    this.#app = app;
    this.#name = name;
  }

  /**
   * Where to post to. Starts the application on a free port of 127.0.0.1 if it is not listening yet.
   * @throws ScalekitWebhooksConfigurationError when the endpoint does not exist
   */
  async destination(path?: string): Promise<Destination> {
    await this.#listen();
    const server: HttpServer = this.#app.getHttpServer();
    const protocol = server instanceof TlsServer ? 'https' : 'http';
    const target = path ?? this.#find<Pick<EndpointUrl, 'path'>>(ENDPOINT_URL).path;
    const address = server.address();
    if (typeof address === 'string') {
      return { url: new URL(target, `${protocol}://localhost`), socketPath: address, insecure: true };
    }
    const host = `${hostOf(address)}:${address?.port}`;
    return { url: new URL(target, `${protocol}://${host}`), insecure: true };
  }

  /**
   * The endpoint's first signing secret.
   * @throws ScalekitWebhooksConfigurationError when the endpoint does not exist or has no secret
   */
  async secret(): Promise<string> {
    await this.#listen();
    const secrets = this.#find<Pick<EndpointSecrets, 'for'>>(ENDPOINT_SECRETS);
    const [first] = await secrets.for({ endpoint: this.#name, params: {}, headers: {} });
    if (first) return first.text;
    throw new ScalekitWebhooksConfigurationError('secret', MESSAGES.noSecret(this.#name));
  }

  async #listen(): Promise<void> {
    if (this.#app.getHttpServer().listening) return;
    const starting = STARTING.get(this.#app) ?? this.#app.listen(0, '127.0.0.1');
    STARTING.set(this.#app, starting);
    await starting;
  }

  /** A provider of the endpoint's own module: every endpoint has its own instance. */
  #find<T>(token: symbol): T {
    for (const module of this.#app.get(ModulesContainer).values()) {
      const endpoint = module.providers.get(ENDPOINT_OPTIONS)?.instance as EndpointOptions | undefined;
      if (endpoint?.name === this.#name) return module.providers.get(token)?.instance as T;
    }
    throw new ScalekitWebhooksConfigurationError('endpoint', MESSAGES.noEndpoint(this.#name));
  }
}

/** The host of a URL for the address that a server listens on. */
function hostOf(address: AddressInfo | null): string {
  if (!address || address.address === '0.0.0.0') return '127.0.0.1';
  // All addresses of the machine. Node tries those of both families.
  if (address.address === '::') return 'localhost';
  return address.family === 'IPv6' ? `[${address.address}]` : address.address;
}

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
