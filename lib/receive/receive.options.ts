import type { DispatchOptions } from '../dispatch/dispatch.options.js';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { OutcomeStatusCodes } from '../respond/outcome.js';
import { MESSAGES } from './receive.messages.js';

/** Injection token of an endpoint's name and path, by which endpoints also find one another. */
export const ENDPOINT_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:endpoint');

/** What an endpoint is known by. */
export interface EndpointOptions {
  readonly name: string;
  readonly path: string;
}

const SEGMENT = /^(?::\w+|[\w.~-]+)$/;
const NAME = /^[\w.-]{1,64}$/;

/** @throws ScalekitWebhooksConfigurationError for a name or a path that cannot be one */
export function resolveEndpointOptions({
  name = 'default',
  path = 'webhooks/scalekit',
}: Partial<EndpointOptions>): EndpointOptions {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new ScalekitWebhooksConfigurationError('name', MESSAGES.endpointNameInvalid(String(name)));
  }
  const segments = typeof path === 'string' ? path.replace(/^\/|\/$/g, '').split('/') : [];
  if (segments.length === 0 || !segments.every((segment) => SEGMENT.test(segment))) {
    throw new ScalekitWebhooksConfigurationError('path', MESSAGES.endpointPathInvalid(String(path)));
  }
  return { name, path: segments.join('/') };
}

/** What a custom verifier is given. */
export interface WebhookVerifierInput {
  /** The exact bytes that were received. */
  readonly payload: Buffer;
  /** The request's headers, names in lower case. */
  readonly headers: Record<string, string>;
  /** The endpoint's signing secrets as text; empty where none is configured. */
  readonly secrets: readonly string[];
}

/**
 * Decides on a delivery in place of the library. Anything but `true` refuses it with 401, and so does whatever
 * is thrown.
 *
 * @example
 * ```ts
 * verifier: ({ payload, headers, secrets }) =>
 *   secrets.some((secret) => scalekit.verifyWebhookPayload(secret, headers, payload.toString()))
 * ```
 */
export type WebhookVerifier = (input: WebhookVerifierInput) => boolean | Promise<boolean>;

/** What a secret resolver is told of a request. Nothing of it is verified yet. */
export interface SigningSecretRequest {
  /** The endpoint's `name`. */
  readonly endpoint: string;
  /** The path's parameters, for a `path` such as `webhooks/:tenant`. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Finds the signing secrets for a request. None (undefined or an empty list) is answered with 401; an error
 * with 503, so that the delivery comes again.
 */
export type SigningSecretResolver = (
  request: SigningSecretRequest,
) => string | readonly string[] | undefined | Promise<string | readonly string[] | undefined>;

/** One signing secret, several while one replaces another, or a function that finds them. */
export type SigningSecretSetting = string | readonly string[] | SigningSecretResolver;

/** What receiving needs to know of an endpoint: the module's options, with every default filled in. */
export interface ReceiveOptions extends DispatchOptions, EndpointOptions {
  readonly signingSecret?: SigningSecretSetting;
  readonly verifier?: WebhookVerifier;
  readonly toleranceSeconds: number;
  readonly environmentIds?: ReadonlySet<string>;
  readonly maxBodyBytes: number;
  readonly statusCodes: OutcomeStatusCodes;
}
