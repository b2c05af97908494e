import type { DispatchOptions } from '../dispatch/dispatch.providers.js';
import { refuseSetting } from '../errors/settings.js';
import { MESSAGES } from './receive.messages.js';

/** One signing secret, several, or a function that looks them up. */
export type SigningSecretSetting = string | readonly string[] | SigningSecretResolver;

/**
 * Looks up the signing secrets for a request. If it returns `undefined` or an empty array, the delivery gets a 401.
 * If it throws, the delivery gets a 503, and Scalekit retries it.
 *
 * @example
 * ```ts
 * signingSecret: ({ params }) => tenants.webhookSecretOf(params.tenant)
 * ```
 */
export type SigningSecretResolver = (
  request: SigningSecretRequest,
) => string | readonly string[] | undefined | Promise<string | readonly string[] | undefined>;

/** What a {@link SigningSecretResolver} knows about a request. The request is not verified yet: do not trust it. */
export interface SigningSecretRequest {
  /** The `name` of the endpoint. */
  readonly endpoint: string;
  /** The path parameters, for a `path` such as `webhooks/:tenant`. */
  readonly params: Readonly<Record<string, string>>;
  /** The request's headers, with lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Replaces the built-in verification. A delivery is authentic only if it returns `true`. Otherwise, or
 * if it throws, the delivery gets a 401.
 *
 * @example
 * ```ts
 * verifier: ({ payload, headers, secrets }) =>
 *   secrets.some((secret) => scalekit.verifyWebhookPayload(secret, headers, payload.toString()))
 * ```
 */
export type WebhookVerifier = (input: WebhookVerifierInput) => boolean | Promise<boolean>;

/** What a {@link WebhookVerifier} receives. */
export interface WebhookVerifierInput {
  /** The exact bytes of the body. */
  readonly payload: Buffer;
  /** The request's headers, with lower-case names. Several values of one header are joined with commas. */
  readonly headers: Record<string, string>;
  /** The endpoint's signing secrets. Empty if none are configured. */
  readonly secrets: readonly string[];
}

/** What receiving needs to know about an endpoint: the module's options, with all defaults filled in. */
export interface ReceiveOptions extends DispatchOptions, EndpointOptions {
  readonly signingSecret?: SigningSecretSetting;
  readonly verifier?: WebhookVerifier;
  readonly toleranceSeconds: number;
  readonly environmentIds?: ReadonlySet<string>;
  readonly maxBodyBytes: number;
}

/** What identifies an endpoint. */
export interface EndpointOptions {
  readonly name: string;
  readonly path: string;
}

/** Injection token of an endpoint's {@link EndpointOptions}. Also used to find all endpoints of an application. */
export const ENDPOINT_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:endpoint');

// The testing kit finds these by symbol: it may be the build of the other module format.
/** Injection token of an endpoint's `EndpointUrl`. */
export const ENDPOINT_URL = Symbol.for('nestjs-scalekit-webhooks:endpoint-url');
/** Injection token of an endpoint's `EndpointSecrets`. */
export const ENDPOINT_SECRETS = Symbol.for('nestjs-scalekit-webhooks:endpoint-secrets');

const NAME = /^[\w.-]{1,64}$/;
const SEGMENT = /^(?::\w+|[\w.~-]+)$/;

/** The name of an endpoint that has none of its own. */
export const DEFAULT_NAME = 'default';

/** Fills in the defaults. */
export function resolveEndpointOptions({
  name = DEFAULT_NAME,
  path = 'webhooks/scalekit',
}: Partial<EndpointOptions>): EndpointOptions {
  return { name, path: segmentsOf(path).join('/') };
}

/** @throws ScalekitWebhooksConfigurationError unless the value can be the name of an endpoint */
export function requireEndpointName(setting: string, value: unknown): void {
  if (typeof value === 'string' && NAME.test(value)) return;
  refuseSetting(setting, MESSAGES.endpointNameInvalid(value));
}

/** @throws ScalekitWebhooksConfigurationError unless the value can be the path of an endpoint */
export function requireEndpointPath(setting: string, value: unknown): void {
  if (typeof value === 'string' && segmentsOf(value).every((segment) => SEGMENT.test(segment))) return;
  refuseSetting(setting, MESSAGES.endpointPathInvalid(value));
}

function segmentsOf(path: string): readonly string[] {
  return path.replace(/^\/|\/$/g, '').split('/');
}
