import type { INestApplication } from '@nestjs/common';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  objectWith,
  oneOf,
  optional,
  refuseSetting,
  requirePositiveInteger,
  requireText,
  requireTime,
} from '../errors/settings.js';
import { signWebhook } from '../verify/signature.js';
import { SIGNATURE_SCHEMES, type SignatureScheme } from '../verify/signature-headers.js';
import { readSigningSecret } from '../verify/signing-secret.js';
import { post, requirePath, TestedEndpoint } from './tested-endpoint.js';

/** Options of {@link ScalekitWebhookTester}. */
export interface ScalekitWebhookTesterOptions {
  /**
   * The endpoint's name.
   * @default 'default'
   */
  endpoint?: string;
  /**
   * The secret to sign with. Required if the endpoint finds its secret per request.
   * @default the endpoint's first secret
   */
  secret?: string;
  /**
   * The path to post to. Required if the endpoint's path has parameters.
   * @default the endpoint's own path, with the global prefix
   */
  path?: string;
}

/** Options of a single delivery. */
export interface TestDeliveryOptions {
  /**
   * How to sign: `standard` for the `webhook-*` headers, `scalekit` for `scalekit-signature`.
   * @default 'standard'
   */
  scheme?: SignatureScheme;
  /**
   * The secret to sign with.
   * @default the tester's secret
   */
  secret?: string;
  /**
   * The `webhook-id`.
   * @default a new one each time
   */
  id?: string;
  /**
   * When the delivery was signed: a `Date`, or Unix seconds.
   * @default now
   */
  timestamp?: Date | number;
  /** Headers to add or replace. */
  headers?: Record<string, string>;
}

/** What to deliver: an event, or a body to send as it is. */
export type TestDeliveryPayload = object | string | Uint8Array;

/** The response of the application. */
export interface TestDeliveryAnswer {
  readonly status: number;
  /** The parsed body if it is JSON, otherwise its text. */
  readonly body: unknown;
  readonly headers: Headers;
}

const CHECKS: OptionChecks<ScalekitWebhookTesterOptions> = {
  endpoint: optional(requireText),
  secret: optional(readSigningSecret),
  path: optional(requirePath),
};

const DELIVERY_CHECKS: OptionChecks<TestDeliveryOptions> = {
  scheme: optional(oneOf(SIGNATURE_SCHEMES)),
  secret: optional(readSigningSecret),
  id: optional(requireText),
  timestamp: optional(requireTime),
  headers: optional((setting, headers) => {
    if (typeof headers === 'object' && headers !== null && !Array.isArray(headers)) return;
    refuseSetting(setting, `${setting} must be an object, found ${describeValue(headers)}.`);
  }),
};

const STALE_SECONDS = 24 * 60 * 60;
const OTHER_SECRET = `whsec_${Buffer.from('not the secret of any endpoint.').toString('base64')}`;

/**
 * Delivers signed events to an application under test over HTTP or HTTPS, on Express and Fastify. It starts the application
 * on a free port of 127.0.0.1 if it is not listening yet. Otherwise, it uses the port or socket where it listens.
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
  readonly #options: ScalekitWebhookTesterOptions;

  /** @throws ScalekitWebhooksConfigurationError when `app` is not an application, or an option is unknown or invalid */
  constructor(app: INestApplication, options: ScalekitWebhookTesterOptions = {}) {
    objectWith('getHttpServer')('app', app);
    this.#options = checkOptions(options, CHECKS);
    this.#endpoint = new TestedEndpoint(app, this.#options.endpoint);
  }

  /**
   * Delivers an event, signed as Scalekit signs it.
   * @throws ScalekitWebhooksConfigurationError when the endpoint does not exist, no secret is known, or an option is invalid
   */
  async deliver(
    payload: TestDeliveryPayload,
    options: TestDeliveryOptions = {},
  ): Promise<TestDeliveryAnswer> {
    const { headers, secret = await this.#secret(), ...signing } = checkOptions(options, DELIVERY_CHECKS);
    const body = toBody(payload);
    return this.#post(body, { ...signWebhook({ ...signing, payload: body, secret }), ...headers });
  }

  /** Delivers an event, and then the same event again, as in a retry: signed again, with another `webhook-id`. */
  async deliverTwice(payload: TestDeliveryPayload): Promise<[TestDeliveryAnswer, TestDeliveryAnswer]> {
    return [await this.deliver(payload), await this.deliver(payload)];
  }

  /** Delivers the same event several times at once. */
  async deliverConcurrently(payload: TestDeliveryPayload, times = 2): Promise<TestDeliveryAnswer[]> {
    requirePositiveInteger('times', times);
    return Promise.all(Array.from({ length: times }, () => this.deliver(payload)));
  }

  /** Delivers an event that was signed a day ago. */
  async withStaleTimestamp(payload: TestDeliveryPayload): Promise<TestDeliveryAnswer> {
    return this.deliver(payload, { timestamp: Math.floor(Date.now() / 1000) - STALE_SECONDS });
  }

  /** Delivers an event that was signed with another secret. */
  async withForgedSignature(payload: TestDeliveryPayload): Promise<TestDeliveryAnswer> {
    return this.deliver(payload, { secret: OTHER_SECRET });
  }

  /** Delivers an event without a signature. */
  async withoutSignature(payload: TestDeliveryPayload): Promise<TestDeliveryAnswer> {
    return this.#post(toBody(payload), {});
  }

  async #post(body: string | Uint8Array, headers: Record<string, string>): Promise<TestDeliveryAnswer> {
    const destination = await this.#endpoint.destination(this.#options.path);
    const { status, text, headers: received } = await post(destination, Buffer.from(body), headers);
    return { status, body: parseBody(text), headers: received };
  }

  async #secret(): Promise<string> {
    return this.#options.secret ?? this.#endpoint.secret();
  }
}

function toBody(payload: TestDeliveryPayload): string | Uint8Array {
  if (typeof payload !== 'string' && (typeof payload !== 'object' || payload === null)) {
    refuseSetting('payload', `payload must be an event or a body, found ${describeValue(payload)}.`);
  }
  return typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
