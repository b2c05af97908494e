import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import {
  InboxTransport,
  MemoryInboxStore,
  OnScalekitEvent,
  parseSigningSecret,
  ScalekitInbox,
  ScalekitWebhooksModule,
  verifyWebhookSignature,
} from 'nestjs-scalekit-webhooks';
import { BullMqTransport } from 'nestjs-scalekit-webhooks/bullmq';
import { ScalekitDashboardModule } from 'nestjs-scalekit-webhooks/dashboard';
import { OpenTelemetryObserver } from 'nestjs-scalekit-webhooks/opentelemetry';
import {
  drizzleQueryable,
  kyselyQueryable,
  PostgresInboxStore,
  postgresSchemaSql,
  prismaQueryable,
} from 'nestjs-scalekit-webhooks/postgres';
import { ScalekitRecovery, ScalekitRecoveryModule } from 'nestjs-scalekit-webhooks/recovery';
import { RedisInboxStore } from 'nestjs-scalekit-webhooks/redis';
import { SqliteInboxStore } from 'nestjs-scalekit-webhooks/sqlite';
import { ScalekitInboxHealthIndicator } from 'nestjs-scalekit-webhooks/terminus';
import {
  createScalekitDelivery,
  createScalekitEvent,
  describeInboxStore,
  ScalekitDeliverySimulator,
  ScalekitWebhookTester,
  SimulatedEventsApi,
  signWebhook,
} from 'nestjs-scalekit-webhooks/testing';
import { SECRET } from '../../helpers/secrets.js';
import {
  BOOLEAN,
  COUNT,
  DURATION,
  FUNCTION,
  NO_ITEMS,
  NO_MEMBERS,
  noop,
  type OptionRow,
  RETENTION,
  required,
  row,
  TEXT,
  TIME,
} from './option-values.js';

/** Everything that takes one type of options. */
export interface OptionTable {
  readonly type: string;
  /** Passes the options on. Throws or rejects if they are refused. */
  give(options: object): unknown;
  /** The options that must be there, and valid values for options that are objects. */
  readonly valid: Readonly<Record<string, unknown>>;
  /** One row per option, by its name, or by its path if it is a member of another option. */
  readonly rows: Readonly<Record<string, OptionRow>>;
}

const EVENTS_CLIENT = { events: { listEventsPaginated: async () => ({ events: [], nextPageToken: '' }) } };
const module = await Test.createTestingModule({
  imports: [
    ScalekitWebhooksModule.forRoot({ signingSecret: SECRET }),
    ScalekitRecoveryModule.forRoot({ client: EVENTS_CLIENT }),
    TerminusModule.forRoot({ logger: false }),
  ],
  providers: [ScalekitInboxHealthIndicator],
}).compile();
const health = module.get(ScalekitInboxHealthIndicator);
const recovery = module.get(ScalekitRecovery, { strict: false });
const inbox = module.get(ScalekitInbox, { strict: false });
const app = {
  getHttpServer: () => ({ listening: true, address: () => ({ port: 1 }) }),
  get: noop,
  listen: noop,
};
const tester: ScalekitWebhookTester = Reflect.construct(ScalekitWebhookTester, [
  app,
  { secret: SECRET, path: '/webhooks' },
]);
const simulator = new ScalekitDeliverySimulator({ urls: 'http://127.0.0.1:1/', secrets: SECRET });
const runner = { describe: noop, it: noop, beforeEach: noop, afterEach: noop, expect: noop };

class Guard {
  canActivate() {
    return true;
  }
}

function declareHandler(pattern: unknown, options: object): void {
  class Handlers {
    created() {}
  }
  const method = Object.getOwnPropertyDescriptor(Handlers.prototype, 'created');
  const decorate = Reflect.apply(OnScalekitEvent, undefined, [pattern, options]);
  decorate(Handlers.prototype, 'created', method);
}

function describeWith(name: unknown, makeHarness: unknown): void {
  Reflect.apply(describeInboxStore, undefined, [name, makeHarness, runner]);
}

function forRecoveryOf(options: unknown = {}): void {
  const isGiven = typeof options === 'object' && options !== null && !Array.isArray(options);
  const others = isGiven ? { client: EVENTS_CLIENT, ...options } : options;
  Reflect.apply(ScalekitRecoveryModule.forRoot, ScalekitRecoveryModule, [others]);
}

function forDashboardOf(options: unknown = {}): void {
  const isGiven = typeof options === 'object' && options !== null && !Array.isArray(options);
  const others = isGiven ? { guards: [Guard], ...options } : options;
  Reflect.apply(ScalekitDashboardModule.forRoot, ScalekitDashboardModule, [others]);
}

function misconfigured(): never {
  throw new Error('the stub has no endpoint');
}

const SCHEME = row(['standard', 'scalekit']);
const BACKOFF: Readonly<Record<string, OptionRow>> = {
  backoff: row([1, 1000, { type: 'fixed', delayMs: 5 }]),
  'backoff.type': required(row(['fixed', 'exponential'])),
  'backoff.delayMs': required(DURATION),
};
const STATUS = { acknowledged: row([200, 204, 299]), refused: row([400, 500, 599]) };
const OUTAGE = { from: new Date(0), until: new Date(1) };
const QUEUE = { name: 'webhooks', addBulk: noop, opts: {} };
const POSTGRES = { query: noop };
const SQLITE = { exec: noop, prepare: noop };
const KEYS = [{ id: '2026-01', secret: Buffer.alloc(32).toString('base64') }];
const ENCRYPTION = { keys: KEYS };
const PAYLOADS: Readonly<Record<string, OptionRow>> = {
  payloads: row(['keep', 'encrypt', 'drop-when-done']),
  encryption: row([ENCRYPTION]),
  'encryption.keys': required(row([KEYS])),
  redact: FUNCTION,
};
const REDIS = { evalsha: noop, eval: noop, hgetall: noop, getBuffer: noop };

export const OPTION_TABLES: readonly OptionTable[] = [
  {
    type: 'ScalekitWebhooksOptions',
    give: (options) => ScalekitWebhooksModule.forRoot(options),
    valid: { statusCodes: {} },
    rows: {
      signingSecret: row([SECRET, [SECRET], noop], [NO_ITEMS]),
      toleranceSeconds: row([1, 0, 1.5, 2 ** 31]),
      environmentId: row(['1', 'misspelt', ['env_1', 'env_2']]),
      validation: row(['strict', 'lenient', 'off']),
      inbox: row([new MemoryInboxStore()]),
      transport: row([{ start: noop }]),
      retryFailed: BOOLEAN,
      handlerTimeoutMs: DURATION,
      retryable: FUNCTION,
      maxBodyBytes: row([1, 2 ** 30]),
      eventEmitter: BOOLEAN,
      statusCodes: row([{ processed: 200 }], [NO_MEMBERS]),
      ...Object.fromEntries(
        ['processed', 'accepted', 'duplicate', 'dead', 'ignored'].map((outcome) => [
          `statusCodes.${outcome}`,
          STATUS.acknowledged,
        ]),
      ),
      ...Object.fromEntries(
        [
          'invalid_event',
          'unauthenticated',
          'wrong_environment',
          'body_too_large',
          'unsupported_media_type',
          'unprocessable',
          'failed',
          'unavailable',
          'misconfigured',
        ].map((outcome) => [`statusCodes.${outcome}`, STATUS.refused]),
      ),
      verifier: FUNCTION,
      observers: row([[{ onRun: noop }], NO_ITEMS]),
    },
  },
  {
    type: 'OpenTelemetryObserverOptions',
    give: (options) => new OpenTelemetryObserver(options),
    valid: {},
    rows: {
      tracerProvider: row([{ getTracer: noop }]),
      meterProvider: row([{ getMeter: noop }]),
      inboxIntervalMs: DURATION,
    },
  },
  {
    type: 'ScalekitInboxHealthOptions',
    give: (options) => health.isHealthy('scalekit', options),
    valid: {},
    rows: {
      endpoint: row(['default'], ['1', 'misspelt']),
      timeoutMs: DURATION,
      maxBacklogAgeMs: DURATION,
      maxDeadRuns: row([0, 1, 2 ** 31 - 1]),
      maxWorkerSilenceMs: DURATION,
      maxRecoveryAgeMs: DURATION,
    },
  },
  {
    type: 'ScalekitWebhooksEndpointOptions',
    give: (options) => ScalekitWebhooksModule.forRoot(options),
    valid: {},
    rows: {
      path: row(['1', 'misspelt', '/webhooks/:tenant']),
      name: row(['1', 'misspelt', 'x'.repeat(64)]),
      controllerDecorators: row([NO_ITEMS, [noop]]),
      isGlobal: BOOLEAN,
    },
  },
  {
    type: 'MemoryInboxOptions',
    give: (options) => Reflect.construct(MemoryInboxStore, [options]),
    valid: {},
    rows: { maxEvents: row([1, 10_000_000]), retentionMs: RETENTION, transaction: FUNCTION },
  },
  {
    type: 'PostgresInboxOptions',
    give: (options) => Reflect.construct(PostgresInboxStore, [options]),
    valid: { client: POSTGRES, application: 'billing', encryption: ENCRYPTION },
    rows: {
      client: required(row([POSTGRES])),
      application: required(TEXT),
      schema: row(['misspelt']),
      retentionMs: RETENTION,
      migrate: BOOLEAN,
      preparedStatements: BOOLEAN,
      ...PAYLOADS,
    },
  },
  {
    type: 'PostgresSchemaOptions',
    give: (options) => Reflect.apply(postgresSchemaSql, undefined, [options]),
    valid: { application: 'billing' },
    rows: { application: required(TEXT), schema: row(['misspelt']) },
  },
  {
    type: 'SqliteInboxOptions',
    give: (options) => Reflect.construct(SqliteInboxStore, [options]),
    valid: { database: SQLITE, encryption: ENCRYPTION },
    rows: {
      database: required(row([SQLITE])),
      tablePrefix: row(['misspelt']),
      retentionMs: RETENTION,
      busyTimeoutMs: DURATION,
      ...PAYLOADS,
    },
  },
  {
    type: 'RedisInboxOptions',
    give: (options) => Reflect.construct(RedisInboxStore, [options]),
    valid: { client: REDIS, application: 'billing', encryption: ENCRYPTION },
    rows: {
      client: required(row([REDIS])),
      application: required(TEXT),
      keyPrefix: TEXT,
      retentionMs: RETENTION,
      ...PAYLOADS,
    },
  },
  {
    type: 'BullMqTransportOptions',
    give: (options) => Reflect.construct(BullMqTransport, [options]),
    valid: {
      queue: QUEUE,
      backoff: { type: 'exponential', delayMs: 5 },
      worker: { limiter: { max: 1, duration: 1 } },
    },
    rows: {
      queue: required(row([QUEUE])),
      worker: row([true, false, { concurrency: 5 }], [NO_MEMBERS]),
      'worker.concurrency': COUNT,
      'worker.lockDuration': DURATION,
      'worker.stalledInterval': DURATION,
      'worker.limiter': row([{ max: 1, duration: 1 }]),
      'worker.limiter.max': required(COUNT),
      'worker.limiter.duration': required(DURATION),
      attempts: COUNT,
      ...BACKOFF,
      handlerTimeoutMs: DURATION,
    },
  },
  {
    type: 'InboxTransportOptions',
    give: (options) => Reflect.construct(InboxTransport, [options]),
    valid: { backoff: { type: 'exponential', delayMs: 5 }, worker: { concurrency: 5 } },
    rows: {
      worker: row([true, false, { concurrency: 5 }], [NO_MEMBERS]),
      'worker.concurrency': COUNT,
      attempts: COUNT,
      ...BACKOFF,
      handlerTimeoutMs: DURATION,
      pollIntervalMs: DURATION,
    },
  },
  {
    type: 'OnScalekitEventOptions',
    give: (options) => declareHandler('user.created', options),
    valid: { backoff: { type: 'exponential', delayMs: 5 } },
    rows: {
      id: row(['1', 'misspelt', 'x'.repeat(255)]),
      endpoint: row(['1', 'misspelt', ['one', 'two']]),
      timeoutMs: DURATION,
      attempts: COUNT,
      ...BACKOFF,
      latestOnly: BOOLEAN,
      order: row(['entity', 'organization', noop]),
    },
  },
  {
    type: 'InboxPageRequest',
    give: (page) => inbox.list({}, page),
    valid: {},
    rows: { limit: row([1, 1000]), cursor: row(['1', '100']) },
  },
  {
    type: 'ScalekitInboxFilter',
    give: (filter) => Promise.all([inbox.list(filter), inbox.count(filter)]),
    valid: {},
    rows: {
      type: TEXT,
      state: row(['queued', 'running', 'done', 'failed', 'dead']),
      handler: TEXT,
      organizationId: TEXT,
      entity: TEXT,
      receivedAfter: row([new Date()]),
      receivedBefore: row([new Date()]),
      error: TEXT,
    },
  },
  {
    type: 'ReplayOptions',
    give: (options) => inbox.replay('evt_1', options),
    valid: {},
    rows: { handlers: row([['Handlers.created']]), limit: COUNT, rate: row([0.001, 1, 1.5, 1000]) },
  },
  {
    type: 'VerifyWebhookSignatureOptions',
    give: (options) => Reflect.apply(verifyWebhookSignature, undefined, [options]),
    valid: { payload: '{}', headers: signWebhook({ payload: '{}', secret: SECRET }), secrets: SECRET },
    rows: {
      payload: required(row(['1', 'misspelt', '', Buffer.of()])),
      headers: required(row([new Headers()], [NO_MEMBERS])),
      secrets: required(row([SECRET, [SECRET], parseSigningSecret(SECRET)])),
      now: TIME,
      toleranceSeconds: row([1, 0, 1.5, 2 ** 31]),
    },
  },
  {
    type: 'SignWebhookOptions',
    give: (options) => Reflect.apply(signWebhook, undefined, [options]),
    valid: { payload: '{}', secret: SECRET },
    rows: {
      payload: required(row(['1', 'misspelt', '', Buffer.of()])),
      secret: required(row([SECRET, parseSigningSecret(SECRET)])),
      id: TEXT,
      timestamp: TIME,
      scheme: SCHEME,
    },
  },
  {
    type: 'CreateScalekitEventOptions',
    give: (options) => createScalekitEvent('user.created', {}, options),
    valid: {},
    rows: { seed: row(['1', 'misspelt', '', 1, 0, -1, 1.5, 2 ** 31]) },
  },
  {
    type: 'CreateScalekitDeliveryOptions',
    give: (options) => createScalekitDelivery(options),
    valid: {},
    rows: {
      event: row([{ id: 'evt_1' }], [NO_MEMBERS]),
      id: TEXT,
      endpoint: TEXT,
      receivedAt: row([new Date()]),
      attempt: COUNT,
      headers: row([{ accept: '*/*' }], [NO_MEMBERS]),
      signal: row([new AbortController().signal]),
      tx: row([{ query: () => {} }], [NO_MEMBERS]),
    },
  },
  {
    type: 'ScalekitWebhookTesterOptions',
    give: (options) => Reflect.construct(ScalekitWebhookTester, [app, options]),
    valid: {},
    rows: { endpoint: TEXT, secret: row([SECRET]), path: row(['/webhooks']) },
  },
  {
    type: 'TestDeliveryOptions',
    give: (options) => tester.deliver({}, options),
    valid: {},
    rows: {
      scheme: SCHEME,
      secret: row([SECRET]),
      id: TEXT,
      timestamp: TIME,
      headers: row([{ accept: '*/*' }], [NO_MEMBERS]),
    },
  },
  {
    type: 'ScalekitDeliverySimulatorOptions',
    give: (options) => new ScalekitDeliverySimulator(options),
    valid: { urls: 'http://127.0.0.1:1/', secrets: SECRET, outage: OUTAGE },
    rows: {
      app: row([app]),
      urls: required(row(['http://127.0.0.1:1/', ['http://127.0.0.1:1/']])),
      endpoint: TEXT,
      path: row(['/webhooks']),
      secrets: required(row([SECRET, [{ secret: SECRET }]])),
      scheme: SCHEME,
      schedule: row(['guide', 'guide-short', 'dashboard', 'scim', [0, 5]]),
      outage: row([OUTAGE]),
      'outage.from': required(row([new Date(0)])),
      'outage.until': required(row([new Date(2)])),
      timeScale: row([1, 1.5, 1000, 2 ** 31]),
      timeoutMs: DURATION,
      success: row([[200, 201]]),
      concurrency: COUNT,
      duplicates: COUNT,
      reorder: BOOLEAN,
      seed: row([1, 0, -1, 2 ** 31]),
      onAttempt: FUNCTION,
    },
  },
  {
    type: 'ScalekitRecoveryOptions',
    give: (options) => Reflect.apply(ScalekitRecoveryModule.forRoot, ScalekitRecoveryModule, [options]),
    valid: { client: EVENTS_CLIENT },
    rows: {
      client: required(row([EVENTS_CLIENT])),
      everyMs: DURATION,
      overlapMs: DURATION,
      settleMs: DURATION,
      maxLookBackMs: RETENTION,
      abandonedAfterMs: RETENTION,
      eventTypes: row([['user.created', 'misspelt']]),
      onStart: BOOLEAN,
    },
  },
  {
    type: 'ScalekitRecoveryEndpointOptions',
    give: (options) => forRecoveryOf(options),
    valid: {},
    rows: { endpoint: TEXT },
  },
  {
    type: 'ScalekitDashboardOptions',
    give: (options) => forDashboardOf(options),
    valid: {},
    rows: { canReadPayload: FUNCTION },
  },
  {
    type: 'ScalekitDashboardRouteOptions',
    give: (options) => Reflect.apply(ScalekitDashboardModule.forRoot, ScalekitDashboardModule, [options]),
    valid: { guards: [Guard] },
    rows: {
      path: row(['1', 'misspelt', '/admin/:tenant']),
      guards: required(
        row([
          [Guard],
          [
            class {
              canActivate = noop;
            },
          ],
          [{ canActivate: noop }],
        ]),
      ),
      unsafeWithoutGuard: BOOLEAN,
      imports: row([NO_ITEMS, [noop], [{ module: noop }]]),
      controllerDecorators: row([NO_ITEMS, [noop]]),
    },
  },
  {
    type: 'RecoverOptions',
    // The inbox is in memory, so since is required.
    give: (options) => recovery.recover(options),
    valid: { since: new Date(0) },
    rows: {
      since: required(row([new Date(0)])),
      until: row([new Date()]),
      eventTypes: row([['user.created', 'misspelt']]),
      organizationId: TEXT,
      dryRun: BOOLEAN,
      includeDead: BOOLEAN,
    },
  },
  {
    type: 'SimulatedEventsApiOptions',
    give: (options) => new SimulatedEventsApi(options),
    valid: {},
    rows: { visibleAfterMs: DURATION },
  },
  {
    type: 'SimulatedSecret',
    give: (secret) =>
      Reflect.construct(ScalekitDeliverySimulator, [{ urls: 'http://127.0.0.1:1/', secrets: [secret] }]),
    valid: { secret: SECRET },
    rows: {
      secret: required(row([SECRET])),
      // These two would leave deliveries without a secret, which is refused as well.
      from: row([0], [1]),
      until: row([1], [0]),
    },
  },
  {
    type: 'ConformanceRunner',
    give: (functions) => Reflect.apply(describeInboxStore, undefined, ['Store', misconfigured, functions]),
    valid: runner,
    rows: Object.fromEntries(Object.keys(runner).map((name) => [name, required(FUNCTION)])),
  },
];

/** Types that hold options, although their names do not end in `Options`. */
export const OTHER_OPTION_TYPES: readonly string[] = [
  'InboxPageRequest',
  'ScalekitInboxFilter',
  'SimulatedSecret',
  'ConformanceRunner',
];

/** A function that takes a value that is not in an object of options. */
export interface ArgumentTable extends OptionRow {
  readonly argument: string;
  readonly of: string;
  /** Passes the value on. Throws or rejects if it is refused. */
  give(value: unknown): unknown;
}

const give = (call: (...values: never[]) => unknown, before: readonly unknown[] = [], self?: object) => {
  return (value: unknown) => Reflect.apply(call, self, [...before, value]);
};

export const ARGUMENTS: readonly ArgumentTable[] = [
  {
    argument: 'pattern',
    of: '@OnScalekitEvent',
    give: (pattern) => declareHandler(pattern, {}),
    ...required(row(['misspelt', '1', ['user.created', 'user.*']])),
  },
  {
    argument: 'useFactory',
    of: 'forRootAsync',
    give: (useFactory) =>
      Reflect.apply(ScalekitWebhooksModule.forRootAsync, ScalekitWebhooksModule, [{ useFactory }]),
    ...required(FUNCTION),
  },
  {
    argument: 'signingSecret',
    of: 'parseSigningSecret',
    give: give(parseSigningSecret),
    ...required(row([SECRET])),
  },
  {
    argument: 'prisma',
    of: 'prismaQueryable',
    give: give(prismaQueryable),
    ...required(row([{ $queryRawUnsafe: noop }])),
  },
  {
    argument: 'db',
    of: 'drizzleQueryable',
    give: give(drizzleQueryable),
    ...required(row([{ transaction: noop }])),
  },
  {
    argument: 'db',
    of: 'kyselyQueryable',
    give: give(kyselyQueryable),
    ...required(row([{ withoutPlugins: noop, transaction: noop }])),
  },
  { argument: 'eventId', of: 'ScalekitInbox.get', give: give(inbox.get, [], inbox), ...required(TEXT) },
  {
    argument: 'eventId|options|limit',
    of: 'ScalekitInbox.replay',
    give: give(inbox.replay, [], inbox),
    ...required(row(['misspelt', '1', { state: 'dead' }], [NO_MEMBERS])),
  },
  {
    argument: 'before',
    of: 'ScalekitInbox.prune',
    give: give(inbox.prune, [], inbox),
    ...required(row([new Date()])),
  },
  { argument: 'type', of: 'createScalekitEvent', give: give(createScalekitEvent), ...required(TEXT) },
  {
    argument: 'overrides',
    of: 'createScalekitEvent',
    give: give(createScalekitEvent, ['user.created']),
    ...row([NO_MEMBERS]),
  },
  {
    argument: 'app',
    of: 'ScalekitWebhookTester',
    give: (value) => Reflect.construct(ScalekitWebhookTester, [value]),
    ...required(row([app])),
  },
  {
    argument: 'payload',
    of: 'ScalekitWebhookTester.deliver',
    give: give(tester.deliver, [], tester),
    ...required(row(['1', 'misspelt', '', Buffer.of()], [NO_MEMBERS, NO_ITEMS])),
  },
  {
    argument: 'times',
    of: 'ScalekitWebhookTester.deliverConcurrently',
    give: give(tester.deliverConcurrently, ['{}'], tester),
    ...row([1], []),
  },
  {
    argument: 'events',
    of: 'ScalekitDeliverySimulator.send',
    give: give(simulator.send, [], simulator),
    ...required(row([NO_ITEMS])),
  },
  {
    argument: 'signal',
    of: 'ScalekitDeliverySimulator.send',
    give: (signal) => Reflect.apply(simulator.send, simulator, [[], { signal }]),
    ...row([new AbortController().signal]),
  },
  {
    argument: 'name',
    of: 'describeInboxStore',
    give: (name) => describeWith(name, misconfigured),
    ...required(TEXT),
  },
  {
    argument: 'makeHarness',
    of: 'describeInboxStore',
    give: (makeHarness) => describeWith('Store', makeHarness),
    ...required(FUNCTION),
  },
];
