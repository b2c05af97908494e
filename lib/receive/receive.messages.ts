import { describeValue } from '../errors/settings.js';
import { COPY_SECRET } from '../verify/verify.messages.js';

/** Log and error messages: what happened, then what to do. None contains a secret or a payload. */
export const MESSAGES = {
  // At startup
  endpointReady: (path: string) => `Receiving Scalekit events at POST ${path}`,
  endpointWithoutHttp: 'This process receives no Scalekit events: it has no HTTP server.',
  endpointNameInvalid: (found: unknown) =>
    `name must be 1 to 64 letters, digits, ".", "_" or "-"; found ${describeValue(found)}.`,
  endpointPathInvalid: (found: unknown) =>
    `path must consist of plain segments and parameters, such as webhooks/scalekit or webhooks/:tenant; found ${describeValue(found)}.`,
  endpointTaken: (setting: string, value: string) =>
    `Two endpoints have the ${setting} "${value}". Give each forRoot its own ${setting}.`,
  routeInTheWay: (handler: string, route: string, endpoint: string) =>
    `${handler} (${route}) also matches deliveries to POST ${endpoint}, so only one of the two would receive them. Remove that route or change its path, or change the path option of the endpoint.`,
  routeUnreachable: (handler: string, route: string, endpoint: string) =>
    `${handler} (${route}) depends on the host or the version of a request, but would receive none: the endpoint takes all requests to POST ${endpoint}. On Express, import the module of that route before ScalekitWebhooksModule. Otherwise change its path, or the path option of the endpoint.`,
  platformUnknown: (found: string) =>
    `The HTTP platform "${found}" is not supported. Use @nestjs/platform-express or @nestjs/platform-fastify.`,
  secretMissing: (endpoint: string) =>
    `The endpoint "${endpoint}" has no signing secret. Set SCALEKIT_WEBHOOK_SECRET or the signingSecret option. ${COPY_SECRET}`,
  secretIsShort:
    'A signing secret has fewer than 24 bytes, the minimum that Standard Webhooks recommends. Rotate it in the Scalekit dashboard.',
  inboxUnusable: (problem: string) => `The inbox cannot be used, so deliveries get a 503. ${problem}`,
  inboxSilent: (seconds: number) =>
    `The inbox has not responded for ${seconds} s. Until it does, deliveries get a 503. Check that its database is running and not locked. Check the host, the port and the timeouts of its client.`,

  // For a delivery
  tooSlow: (setting: string, ms: number) =>
    `The ${setting} function did not answer within ${ms} ms. Scalekit will retry.`,
  secretResolverFailed: (reason: string) => `The signingSecret function failed (${reason}).`,
  noSecretForRequest: 'The signingSecret function returned no secret for this request.',
  verifierRejected: 'The verifier option rejected the delivery.',
  replayWithVerifier:
    'The delivery asks for a replay. An endpoint with a verifier accepts replays only if the verifier accepts the ' +
    'delivery and the signingSecret option has the secret that signed it. Otherwise, `inbox replay` is not available: use ScalekitInbox.replay().',
  replayRepeated:
    'The same request for a replay has arrived before. To replay the event again, run `inbox replay` again.',
  bodyRefused: {
    body_too_large: 'The body is larger than maxBodyBytes.',
    unsupported_media_type: 'The content type is not JSON, or the content encoding is not supported.',
    invalid_event: 'The body is incomplete or could not be decompressed.',
    misconfigured:
      'The raw body is not available because something read the request before this module. Create the application ' +
      'with rawBody: true, for example NestFactory.create(AppModule, { rawBody: true }). Remove body parsers that run ' +
      'before Nest, or let them keep the bytes as req.rawBody.',
  },
  bypassed: (path: string, status: number) =>
    `A signed delivery to POST ${path} was answered with ${status} before it reached this module, so no handler ran. ` +
    'If a global guard answered, exempt the endpoint with the controllerDecorators option. If a middleware or another ' +
    'route answered, remove it or change its path, or change the path option of the endpoint. This is logged once.',
  notFound: (path: string, endpoint: string) =>
    `A request with signature headers to ${describeValue(path)} got a 404. If Scalekit sent it, change the URL in the Scalekit dashboard so that it ends in ${endpoint}, or change the path option of the endpoint. This is logged once.`,
  answeredByApplication:
    'An interceptor or a filter of the application answered instead of the handlers. Let interceptors pass on ' +
    'deliveries with next.handle().',
  answeredEarly: (status: number) =>
    `Something in the application answered a signed delivery with ${status} before its handlers had ended, so Scalekit will ` +
    'not retry it if they fail. Do not let middleware, hooks or interceptors write to the response of the endpoint. ' +
    'This is logged once.',
  wrongEnvironment: 'environment_id does not match the environmentId option.',
} as const;
