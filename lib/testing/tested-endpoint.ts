import { type Server as HttpServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Server as TlsServer } from 'node:tls';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  optional,
  refuseSetting,
} from '../errors/settings.js';
import type { EndpointUrl } from '../receive/endpoint.routes.js';
import type { EndpointSecrets } from '../receive/endpoint.secrets.js';
import {
  DEFAULT_NAME,
  ENDPOINT_OPTIONS,
  ENDPOINT_SECRETS,
  ENDPOINT_URL,
  type EndpointOptions,
} from '../receive/receive.options.js';
import { type SignWebhookOptions, signWebhook } from '../verify/signature.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import { parseSigningSecret, readSigningSecret, type SigningSecret } from '../verify/signing-secret.js';

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

/** A signing secret and when it is used, measured by the share of first deliveries that were sent, from 0 to 1. */
export interface SimulatedSecret {
  readonly secret: string;
  /**
   * Used from this share of the deliveries on.
   * @default 0
   */
  readonly from?: number;
  /**
   * Used up to this share of the deliveries. While several secrets are in use, each delivery is signed with all of them.
   * @default 1
   */
  readonly until?: number;
}

const CHECKS: OptionChecks<SimulatedSecret> = {
  secret: readSigningSecret,
  from: optional(requireShare),
  until: optional(requireShare),
};

/** Requires a signing secret, or a list of {@link SimulatedSecret}. */
export function requireSimulatedSecrets(setting: string, value: unknown): void {
  if (!Array.isArray(value)) readSigningSecret(setting, value);
  else for (const secret of value) checkOptions(secret, CHECKS, setting);
}

function requireShare(setting: string, value: unknown): void {
  if (Number.isFinite(value) && Number(value) >= 0 && Number(value) <= 1) return;
  refuseSetting(setting, `${setting} must be a number from 0 to 1, found ${describeValue(value)}.`);
}

type SimulatedSigning = Omit<SignWebhookOptions, 'secret'> & { readonly scheme: SignatureScheme };

/** The secrets in use during a simulation. */
export class SimulatedSecrets {
  readonly #secrets: readonly {
    readonly key: SigningSecret;
    readonly from: number;
    readonly until: number;
  }[];

  constructor(secrets: string | readonly SimulatedSecret[]) {
    const listed = typeof secrets === 'string' ? [{ secret: secrets }] : secrets;
    this.#secrets = listed.map(({ secret, from = 0, until = 1 }: SimulatedSecret) => ({
      key: parseSigningSecret(secret),
      from,
      until,
    }));
  }

  /** Whether at least one secret is in use at any time. */
  get areComplete(): boolean {
    return [0, ...this.#secrets.map(({ until }) => until)].every((share) => this.#at(share).length > 0);
  }

  /** The signature headers of a delivery that is sent at this share. */
  sign(share: number, signing: SimulatedSigning): Record<string, string> {
    const [first, ...others] = this.#at(share).map((secret) => signWebhook({ ...signing, secret }));
    const name = signing.scheme === 'scalekit' ? 'scalekit-signature' : 'webhook-signature';
    // A scalekit-signature header states its time once, before the signatures.
    const further = others.map((headers) => headers[name]?.replace(/^t=\d+,/, '') ?? '');
    const separator = signing.scheme === 'scalekit' ? ',' : ' ';
    return { ...first, [name]: [first?.[name], ...further].join(separator) };
  }

  #at(share: number): SigningSecret[] {
    const inUse = this.#secrets.filter(
      ({ from, until }) => from <= share && (share < until || (share >= 1 && until >= 1)),
    );
    return inUse.map(({ key }) => key);
  }
}
