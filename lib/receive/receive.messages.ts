import { describeValue } from '../errors/settings.js';
import { COPY_SECRET } from '../verify/verify.messages.js';

/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  secretMissing: (endpoint: string) =>
    `The endpoint "${endpoint}" has no signing secret: set SCALEKIT_WEBHOOK_SECRET, or give the module's signingSecret option. ${COPY_SECRET}`,
  secretIsShort: 'A signing secret has fewer than 24 bytes, the least that Standard Webhooks recommends.',
  secretResolverFailed: (reason: string) => `The signingSecret function failed (${reason}).`,
  noSecretForRequest: 'The signingSecret function found no secret for this request.',
  verifierRejected: 'The verifier option refused the delivery.',
  endpointNameInvalid: (found: string) =>
    `name takes 1 to 64 letters, digits, ".", "_" and "-"; found ${describeValue(found)}.`,
  endpointPathInvalid: (found: string) =>
    `path takes plain segments and parameters, such as webhooks/scalekit or webhooks/:tenant; found ${describeValue(found)}.`,
  endpointTaken: (setting: string, value: string) =>
    `Two endpoints have the ${setting} "${value}": give each forRoot a ${setting} of its own.`,
  endpointReady: (path: string) => `Receiving Scalekit events at POST ${path}`,
  endpointWithoutHttp: 'This process receives no Scalekit events: it has no HTTP server.',
  platformUnknown: (found: string) =>
    `The HTTP platform "${found}" is not supported: use @nestjs/platform-express or @nestjs/platform-fastify.`,
  bodyRefused: {
    body_too_large: 'The body is larger than maxBodyBytes.',
    unsupported_media_type: 'The content type is not JSON, or the content encoding is not known.',
    invalid_event: 'The body broke off, or could not be decompressed.',
    misconfigured:
      'The raw body is not to be had: something read the request before this module. Remove body parsers that run ' +
      'before Nest (for example in an application that it is mounted in), or let them keep req.rawBody; and set the ' +
      'path with the path option, not with RouterModule.',
  },
  wrongEnvironment: 'The event belongs to another Scalekit environment than environmentId says.',
} as const;
