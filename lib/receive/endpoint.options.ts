import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';

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
