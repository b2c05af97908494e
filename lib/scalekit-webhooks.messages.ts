const COPY_SECRET =
  'Copy the signing secret of this endpoint from the Scalekit dashboard (Settings > Webhooks).';

/** Every text that a user or a log may see. Each says what was found and what to do; none holds a secret. */
export const MESSAGES = {
  secretIsNoString: (found: string) => `The signing secret is ${found} instead of text. ${COPY_SECRET}`,
  secretIsEmpty: `The signing secret is empty. ${COPY_SECRET}`,
  secretHasNoPrefix: `The signing secret does not begin with "whsec_". ${COPY_SECRET}`,
  secretHasNoKey: `The signing secret ends after "whsec_": its key is missing. ${COPY_SECRET}`,
  secretIsNotBase64:
    'What follows "whsec_" in the signing secret is not base64: a part may be lost, or several secrets may stand ' +
    `in one text (give them as a list). ${COPY_SECRET}`,
  noSecrets: `The list of signing secrets is empty: give at least one. ${COPY_SECRET}`,
  toleranceIsInvalid: 'toleranceSeconds must be a finite number of seconds, 0 or more.',
  nowIsInvalid: 'now is no valid time: give a Date, or milliseconds since 1970.',
  payloadIsNotRaw:
    'The payload must be the raw body as it arrived, a string or a Uint8Array (Buffer). A parsed body cannot be ' +
    'verified, and one serialised again need not have the bytes that were signed.',
  payloadIsMalformed:
    'The payload is a string with a lone surrogate, which UTF-8 cannot hold. Give the raw bytes.',
  signatureHeadersMissing: (missing: readonly string[]) =>
    `No complete set of signature headers: missing ${missing.join(', ')} (or else scalekit-signature).`,
  headerIsRepeated: (header: string) => `The header ${header} has several values.`,
  timestampIsNoNumber: (header: string) => `The timestamp in ${header} is no Unix time of 1 to 12 digits.`,
  timestampIsNotUnique: 'The header scalekit-signature must hold exactly one timestamp, t=….',
  deliveryIdIsMalformed: 'The header webhook-id holds a full stop or a lone surrogate.',
  noSignature: (header: string) => `The header ${header} holds no v1 signature of 32 bytes.`,
  timestampOutOfTolerance: (ageSeconds: number, toleranceSeconds: number) =>
    `The delivery was signed ${Math.abs(ageSeconds)} s ${ageSeconds < 0 ? 'in the future' : 'ago'}; ` +
    `the tolerance is ${toleranceSeconds} s. Check the clock of this machine.`,
  signatureMismatch: (scheme: string, secretCount: number) =>
    `No signature of the ${scheme} scheme matches ${secretCount === 1 ? 'the signing secret' : `any of the ${secretCount} signing secrets`}. ` +
    'Either the secret is that of another endpoint, or the body is not the bytes that were signed.',
  bodyIsNotUtf8: 'The body is not UTF-8 text.',
  bodyIsNotJson: 'The body is not JSON.',
  bodyIsNoObject: 'The body is JSON, but no object: every Scalekit event is one.',
  envelopeIsInvalid: (paths: readonly string[]) =>
    `This is no Scalekit event: ${paths.join(', ')} missing or not usable. An event has id, type, occurred_at and an object data.`,
  dataIsInvalid: (type: string, findings: readonly string[]) =>
    `The data of this ${type} event is not what its handlers are typed for: ${findings.join(', ')}. ` +
    "validation: 'lenient' lets such events through, with the findings in delivery.issues.",
  dataNamesNothing: (identity: readonly string[]) =>
    `data must name what the event is about: one of ${identity.join(', ')}.`,

  notAPositiveInteger: (setting: string, found: unknown) =>
    `${setting} must be a whole number greater than 0, found ${printed(found)}.`,
  tooLarge: (setting: string, found: number) => `${setting} must be less than 2^30, found ${found}.`,
  notOneOf: (setting: string, found: unknown, allowed: readonly string[]) =>
    `${setting} takes ${allowed.join(', ')}; found ${printed(found)}.`,
  notUsable: (setting: string, method: string) =>
    method === 'call' ? `${setting} must be a function.` : `${setting} must be an object with ${method}().`,
  factoryGaveNoOptions:
    'The factory of forRootAsync gave no options: return an object, {} where every default will do.',
  optionFromFactory: (setting: string) =>
    `${setting} shapes the route, which is made before any factory runs: give it beside useFactory, not in what it returns.`,
  environmentIdInvalid:
    'environmentId must be the id of a Scalekit environment (env_…), or a list of such ids.',
  statusCodeUnfit: (outcome: string, found: unknown) =>
    `statusCodes.${outcome} cannot be ${printed(found)}: processed, accepted, duplicate and ignored take a 2xx, all others a 4xx or 5xx.`,
  secretMissing: (endpoint: string) =>
    `The endpoint "${endpoint}" has no signing secret: set SCALEKIT_WEBHOOK_SECRET, or give the module's signingSecret option. ${COPY_SECRET}`,
  secretIsShort: 'A signing secret has fewer than 24 bytes, the least that Standard Webhooks recommends.',
  secretResolverFailed: (reason: string) => `The signingSecret function failed (${reason}).`,
  noSecretForRequest: 'The signingSecret function found no secret for this request.',
  verifierRejected: 'The verifier option refused the delivery.',
  endpointNameInvalid: (found: string) =>
    `name takes 1 to 64 letters, digits, ".", "_" and "-"; found ${printed(found)}.`,
  endpointPathInvalid: (found: string) =>
    `path takes plain segments and parameters, such as webhooks/scalekit or webhooks/:tenant; found ${printed(found)}.`,
  endpointTaken: (setting: string, value: string) =>
    `Two endpoints have the ${setting} "${value}": give each forRoot a ${setting} of its own.`,
  endpointUnknown: (id: string, endpoint: string) =>
    `${id} waits for events of the endpoint "${endpoint}", but no forRoot has that name: it gets none of them.`,
  endpointReady: (path: string) => `Receiving Scalekit events at POST ${path}`,
  endpointWithoutHttp: 'This process receives no Scalekit events: it has no HTTP server.',
  platformUnknown: (found: string) =>
    `The HTTP platform "${found}" is not supported: use @nestjs/platform-express or @nestjs/platform-fastify.`,
  eventEmitterMissing:
    'eventEmitter is on, but there is no EventEmitter2: install @nestjs/event-emitter and import EventEmitterModule.forRoot().',
  notAnInstanceMethod: (name: string) =>
    `@OnScalekitEvent decorates ${name}, which is no method of an instance: use it on methods that are neither static nor properties.`,
  handlerFoundTwice: (id: string) =>
    `${id} was found in several instances of its class; it runs once per event, in the first. Provide the class in one module and export it.`,
  handlerIdTaken: (id: string) =>
    `Two handlers have the id "${id}", under which the inbox remembers their runs: give one of them an id in @OnScalekitEvent(…, { id }).`,
  handlerWithoutId: (method: string) =>
    `The handler ${method} has no usable id: name its class, or give an id in @OnScalekitEvent(…, { id }).`,
  handlerOptionsDisagree: (method: string, setting: string) =>
    `The decorators of ${method} disagree on ${setting}: stacked @OnScalekitEvent make one handler, so give it once.`,
  handlerTimeoutInvalid: (method: string, found: unknown) =>
    `The timeout of ${method} must be a number of ms greater than 0, found ${printed(found)}.`,
  handlerInScopedFactory: (name: string) =>
    `The handlers of ${name} could never run: a request-scoped or transient factory hides what it makes. Provide the class with useClass, or make the factory a singleton.`,
  handlerNotProvided: (name: string, scopedFactories: readonly string[]) =>
    `${name} declares handlers, but no module provides it: its methods will not run. Add it to a module's providers.` +
    (scopedFactories.length > 0
      ? ` Should a request-scoped or transient factory (${scopedFactories.join(', ')}) make it: provide it with useClass instead.`
      : ''),
  handlerTableRow: (patterns: readonly string[], id: string) => `${patterns.join(', ')} -> ${id}`,
  noHandlers:
    'There is no @OnScalekitEvent handler for this endpoint: every event will be acknowledged and ignored.',
  patternOfNoKnownType: (id: string, pattern: string) =>
    `${id} waits for "${pattern}", which matches no event type that this version knows: is it misspelt?`,
  notPostgresClient: (setting: string) =>
    `${setting} must have query(text, values), as a pg Pool, PoolClient or PGlite has; for Prisma use prismaQueryable(…).`,
  schemaNameInvalid: (found: unknown) =>
    `schema takes 1 to 63 letters, digits and "_", and begins with no digit; found ${printed(found)}.`,
  notACursor: (found: unknown) => `cursor must be the nextCursor of a page before; found ${printed(found)}.`,
  handlerFailed: (id: string, eventId: string, type: string, error: { name: string; message: string }) =>
    `${id} failed for ${eventId} (${type}): ${error.name}: ${error.message}`,
  queuedRunEnded: (id: string, eventId: string, type: string, state: string) =>
    `${id} for ${eventId} (${type}), from the queue: ${state}`,
  handlerEndedLate: (id: string, eventId: string, type: string, state: string) =>
    `${id} ended after its deadline for ${eventId} (${type}): ${state}`,
  inboxTooSlow: 'the inbox did not answer in time',
  claimedTooLate: 'the inbox gave the claim too late for the handler to run',
  leaseLost: (eventId: string, handlerId: string) =>
    `${handlerId} no longer holds the lease for ${eventId}: it took longer than its lease, and another run may have taken over. Roll back.`,
  notASqliteDatabase: (setting: string) =>
    `${setting} must be an open connection of node:sqlite, better-sqlite3 or libsql.`,
  noOpenTransaction:
    'No transaction is open on this connection: begin one, do the work in it, call complete, and commit.',
  tablePrefixInvalid: (found: unknown) =>
    `tablePrefix takes 1 to 40 letters, digits and "_", begins with no digit and not with "sqlite_"; found ${printed(found)}.`,
  ledgerIsNewer: (table: string) =>
    `The ledger was made by a newer version of this package (see the table ${table}): update this one.`,
  transportReturnedTooFew: 'the transport did not return a promise for each run',
  deliveryOutcome: (eventId: string, type: string, outcome: string) => `${eventId} (${type}): ${outcome}`,
  deliveryRefused: (outcome: string, code: string, reason: string) =>
    `Delivery refused as ${outcome} (${code}): ${reason}`,
  processingFault: (
    fault: string,
    eventId: string,
    type: string,
    reason: { name: string; message: string } | undefined,
  ) => `${fault} for ${eventId} (${type})${reason ? `: ${reason.name}: ${reason.message}` : ''}`,
  bodyRefused: {
    body_too_large: 'The body is larger than maxBodyBytes.',
    unsupported_media_type: 'The content type is not JSON, or the content encoding is not known.',
    invalid_event: 'The body broke off, or could not be decompressed.',
    misconfigured:
      'The raw body is not to be had: something read the request before this module. Remove body parsers that run ' +
      'before Nest (for example in an application that it is mounted in), or let them keep req.rawBody; and set the ' +
      'path with the path option, not with RouterModule.',
  },
  testerWithoutSecret: (endpoint: string) =>
    `The endpoint "${endpoint}" has no secret that is known before a request: give the tester one, new ScalekitWebhookTester(app, { secret }).`,
  testerWithoutEndpoint: (endpoint: string) =>
    `The application has no endpoint "${endpoint}": import ScalekitWebhooksModule, or give the tester its name, new ScalekitWebhookTester(app, { endpoint }).`,
  redisFailed: (reason: string) => `The inbox could not use Redis: ${reason}`,
  redisCursorInvalid: (found: unknown) =>
    `cursor takes the nextCursor of a page that was read from Redis; found ${printed(found)}.`,
  redisKeyPrefixInvalid: (found: unknown) =>
    `keyPrefix takes 1 or more characters without "{" and "}"; found ${printed(found)}.`,
  inboxWithoutTransactions:
    'delivery.complete() needs an inbox in a database with transactions: PostgresInboxStore or SqliteInboxStore.',
  inboxNotShared:
    'The transport hands runs to other processes, which do not see a MemoryInboxStore: give the option inbox a ' +
    'PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
  replayOfUnknownEvent: (eventId: string, endpoint: string) =>
    `The inbox of the endpoint "${endpoint}" has no event ${printed(eventId)}: it was never received, or is forgotten.`,
  replayWithoutPayload: (eventId: string) =>
    `The inbox does not keep what it received of ${printed(eventId)}, so it cannot be replayed: give the option inbox a ` +
    'PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
  replayOfUnknownHandler: (id: string) => `No handler of this endpoint has the id ${printed(id)}.`,
  queuedRunHangs: 'The handler did not end within twice its time; let it heed delivery.signal.',
  queuedRunDead: 'The run is dead in the inbox: replay the event there instead of retrying its job.',
  handlerGone: (id: string) => `No handler of this process has the id ${id}.`,
  handlerAttemptsInvalid: (method: string, found: unknown) =>
    `The attempts of ${method} must be a whole number greater than 0, found ${printed(found)}.`,
  queueWithoutEndpoint: (endpoint: string) => `This process has no endpoint "${endpoint}" to work for.`,
  wrongEnvironment: 'The event belongs to another Scalekit environment than environmentId says.',
} as const;

/** A setting's value for a message: short, and on one line. */
function printed(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 80) : String(value));
}
