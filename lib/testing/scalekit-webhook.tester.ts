import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { EndpointSecrets } from '../receive/endpoint.secrets.js';
import { EndpointUrl } from '../receive/endpoint.url.js';
import { ENDPOINT_OPTIONS, type EndpointOptions } from '../receive/receive.options.js';
import { signWebhook } from '../verify/sign-webhook.js';
import type { SignatureScheme } from '../verify/signature-headers.js';

const MESSAGES = {
  testerWithoutSecret: (endpoint: string) =>
    `The endpoint "${endpoint}" has no secret that is known before a request: give the tester one, new ScalekitWebhookTester(app, { secret }).`,
  testerWithoutEndpoint: (endpoint: string) =>
    `The application has no endpoint "${endpoint}": import ScalekitWebhooksModule, or give the tester its name, new ScalekitWebhookTester(app, { endpoint }).`,
} as const;

// Deliveries at the same time, or of several testers, start an application once.
const STARTING = new WeakMap<INestApplication, Promise<unknown>>();

/** An endpoint of an application under test, found by its name. */
export class TestedEndpoint {
  constructor(
    private readonly app: INestApplication,
    private readonly name = 'default',
  ) {}

  /** Where it listens; an application that does not yet is made to, on a free port of 127.0.0.1. */
  async url(path?: string): Promise<string> {
    await this.#listen();
    const { port }: AddressInfo = this.app.getHttpServer().address();
    return `http://127.0.0.1:${port}${path ?? this.#find(EndpointUrl).path}`;
  }

  /** The first of its own secrets. */
  async secret(): Promise<string> {
    await this.#listen();
    const [first] = await this.#find(EndpointSecrets).for({ endpoint: this.name, params: {}, headers: {} });
    if (first) return first.text;
    throw new ScalekitWebhooksConfigurationError('secret', MESSAGES.testerWithoutSecret(this.name));
  }

  async #listen(): Promise<void> {
    if (this.app.getHttpServer().listening) return;
    const starting = STARTING.get(this.app) ?? this.app.listen(0, '127.0.0.1');
    STARTING.set(this.app, starting);
    await starting;
  }

  /** A provider of the endpoint's own module, since each endpoint has an instance of its own. */
  #find<T>(token: abstract new (...args: never[]) => T): T {
    for (const module of this.app.get(ModulesContainer).values()) {
      const endpoint = module.providers.get(ENDPOINT_OPTIONS)?.instance as EndpointOptions | undefined;
      if (endpoint?.name === this.name) return module.providers.get(token)?.instance as T;
    }
    throw new ScalekitWebhooksConfigurationError('endpoint', MESSAGES.testerWithoutEndpoint(this.name));
  }
}

/** Which endpoint of the application a tester delivers to. */
export interface ScalekitWebhookTesterOptions {
  /**
   * The endpoint's `name`.
   * @default 'default'
   */
  endpoint?: string;
  /**
   * The secret to sign with.
   * @default the first of the endpoint's own
   */
  secret?: string;
  /**
   * The path to post to, for an endpoint whose path has parameters.
   * @default the endpoint's own, with the global prefix
   */
  path?: string;
}

/** How one delivery is sent. */
export interface TestDeliveryOptions {
  /** @default 'standard' */
  scheme?: SignatureScheme;
  /** @default the tester's secret */
  secret?: string;
  /** The delivery's `webhook-id`. */
  id?: string;
  /** When it was signed; a number is in Unix seconds. */
  timestamp?: Date | number;
  /** Added to the request's headers, or put in their place. */
  headers?: Record<string, string>;
}

/** What the application answered. */
export interface TestDeliveryAnswer {
  readonly status: number;
  /** Parsed where it is JSON. */
  readonly body: unknown;
  readonly headers: Headers;
}

/** What can be delivered: an event, or a body as it is. */
export type TestDeliveryPayload = object | string | Uint8Array;

const STALE_SECONDS = 24 * 60 * 60;
const OTHER_SECRET = `whsec_${Buffer.from('not the secret of any endpoint.').toString('base64')}`;

/**
 * Delivers signed events to an application under test over HTTP, on Express and on Fastify. An application that
 * does not listen yet is made to, on a free port of 127.0.0.1.
 *
 * @example
 * ```ts
 * const scalekit = new ScalekitWebhookTester(app);
 * const answer = await scalekit.deliver(createScalekitEvent('user.created'));
 * expect(answer.status).toBe(201);
 * ```
 */
export class ScalekitWebhookTester {
  readonly #endpoint: TestedEndpoint;

  constructor(
    app: INestApplication,
    private readonly options: ScalekitWebhookTesterOptions = {},
  ) {
    this.#endpoint = new TestedEndpoint(app, options.endpoint);
  }

  /** Delivers an event once, signed as Scalekit signs it. */
  async deliver(
    payload: TestDeliveryPayload,
    options: TestDeliveryOptions = {},
  ): Promise<TestDeliveryAnswer> {
    const body = toBody(payload);
    const { headers, secret = await this.#secret(), ...signing } = options;
    return this.#post(body, { ...signWebhook({ ...signing, payload: body, secret }), ...headers });
  }

  /** Delivers an event, and the same again as a retry would come: signed afresh, with another delivery id. */
  async deliverTwice(payload: TestDeliveryPayload): Promise<[TestDeliveryAnswer, TestDeliveryAnswer]> {
    return [await this.deliver(payload), await this.deliver(payload)];
  }

  /** Delivers the same event several times at once. */
  async deliverConcurrently(payload: TestDeliveryPayload, times = 2): Promise<TestDeliveryAnswer[]> {
    return Promise.all(Array.from({ length: times }, () => this.deliver(payload)));
  }

  /** Delivers an event that was signed a day ago. */
  async withStaleTimestamp(payload: TestDeliveryPayload): Promise<TestDeliveryAnswer> {
    return this.deliver(payload, { timestamp: Math.floor(Date.now() / 1000) - STALE_SECONDS });
  }

  /** Delivers an event that somebody else signed. */
  async withForgedSignature(payload: TestDeliveryPayload): Promise<TestDeliveryAnswer> {
    return this.deliver(payload, { secret: OTHER_SECRET });
  }

  /** Delivers an event that nobody signed. */
  async withoutSignature(payload: TestDeliveryPayload): Promise<TestDeliveryAnswer> {
    return this.#post(toBody(payload), {});
  }

  async #post(body: string | Uint8Array, headers: Record<string, string>): Promise<TestDeliveryAnswer> {
    const response = await fetch(await this.#endpoint.url(this.options.path), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: Buffer.from(body),
    });
    const text = await response.text();
    return { status: response.status, body: parsed(text), headers: response.headers };
  }

  async #secret(): Promise<string> {
    return this.options.secret ?? this.#endpoint.secret();
  }
}

function toBody(payload: TestDeliveryPayload): string | Uint8Array {
  return typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
