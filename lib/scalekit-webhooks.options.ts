import type { EventTransport } from './dispatch/event-transport.js';
import { InlineTransport } from './dispatch/run.engine.js';
import {
  describeValue,
  refuseSetting,
  requireDurationMs,
  requireMethod,
  requireOneOf,
  requirePositiveInteger,
} from './errors/settings.js';
import type { InboxStore } from './inbox/inbox-store.js';
import { MemoryInboxStore } from './inbox/memory-inbox.store.js';
import type { ValidationMode } from './parse/parse-event.js';
import type {
  EndpointOptions,
  ReceiveOptions,
  SigningSecretSetting,
  WebhookVerifier,
} from './receive/receive.options.js';
import { DEFAULT_STATUS_CODES, isAcknowledged, type Outcome } from './respond/outcome.js';
import { DEFAULT_TOLERANCE_SECONDS, requireToleranceSeconds } from './verify/verify-signature.js';

/** The options of an endpoint that a factory may return. All are optional. */
export interface ScalekitWebhooksOptions {
  /**
   * The signing secret of the endpoint, as the Scalekit dashboard shows it (`whsec_…`). During a rotation, pass an array
   * with the old and the new secret. To choose the secret for each request, for example by tenant, pass a function.
   *
   * @default the environment variable `SCALEKIT_WEBHOOK_SECRET`, read through `ConfigService` if it has a value there.
   * Separate several secrets with commas.
   */
  signingSecret?: SigningSecretSetting;
  /**
   * How far the timestamp of a signature may differ from the current time, in seconds, in either direction. Deliveries
   * outside the tolerance get a 401.
   *
   * @default 300
   */
  toleranceSeconds?: number;
  /**
   * Accepts only events of this Scalekit environment (`env_…`), or of these. Other events get a 403.
   *
   * @default every environment
   */
  environmentId?: string | readonly string[];
  /**
   * What to do with an event whose `data` is invalid, for example because a field has the wrong type:
   *
   * - `strict`: responds with 400
   * - `lenient`: runs the handlers, and lists the invalid fields in `delivery.issues`
   * - `off`: does not check `data`
   *
   * The envelope (`id`, `type`, `occurred_at`, `data`) is always checked.
   *
   * @default 'strict'
   */
  validation?: ValidationMode;
  /**
   * Where events and their handlers' runs are recorded, so that each handler runs once per event. The default keeps
   * them only as long as the process runs. Use a `PostgresInboxStore`, `RedisInboxStore` or `SqliteInboxStore` to keep
   * the records after a restart and to share them between processes.
   *
   * @default a new MemoryInboxStore
   */
  inbox?: InboxStore;
  /**
   * How handlers are started. Use a `BullMqTransport` to acknowledge deliveries at once and run the handlers from a queue.
   *
   * @default within the request, all handlers at the same time
   */
  transport?: EventTransport;
  /**
   * How long the handlers of a delivery may take, in milliseconds, counted from the arrival of the request. After that
   * `delivery.signal` is aborted, and the delivery gets a 503, so that Scalekit retries it. Scalekit waits 10
   * seconds for a response.
   *
   * @default 9000
   */
  handlerTimeoutMs?: number;
  /**
   * Decides whether a retry may help after an error that a handler threw. If it returns `false`, the run is dead: no retry
   * runs it again. If it throws, the run is retried. It replaces the default rule, also for `NonRetryableEventError`.
   *
   * @default every error is retried, except `NonRetryableEventError` and Nest's `UnprocessableEntityException`
   */
  retryable?: (error: unknown) => boolean;
  /**
   * The maximum size of a request body, in bytes, after decompression. Larger bodies get a 413.
   *
   * @default 1048576 (1 MiB)
   */
  maxBodyBytes?: number;
  /**
   * Also emits each event as `scalekit.<type>` through `@nestjs/event-emitter`. All listeners together count as one
   * handler. Requires `EventEmitterModule.forRoot()`.
   *
   * @default false
   */
  eventEmitter?: boolean;
  /**
   * Replaces the status codes of some outcomes, for example `{ processed: 200 }`. The outcomes that acknowledge an event
   * (`processed`, `accepted`, `duplicate`, `dead`, `ignored`) must keep a 2xx, all others a 4xx or 5xx.
   *
   * @default the status codes of Scalekit's guide
   */
  statusCodes?: Partial<Record<Outcome, number>>;
  /**
   * Replaces the built-in verification, for example with the one of Scalekit's SDK.
   *
   * @default verifyWebhookSignature, which accepts both of Scalekit's signature schemes
   */
  verifier?: WebhookVerifier;
}

/** The options of an endpoint that Nest needs before it runs a factory. All are optional. */
export interface ScalekitWebhooksEndpointOptions {
  /**
   * The path of the endpoint, without the global prefix. Segments may be parameters, such as `webhooks/:tenant`.
   *
   * @default 'webhooks/scalekit'
   */
  path?: string;
  /**
   * The name of the endpoint. Required if the application has several: it appears in logs, in the inbox and in
   * `delivery.endpoint`, and `@OnScalekitEvent(type, { endpoint })` refers to it. Up to 64 letters, digits, `.`, `_`
   * and `-`.
   *
   * @default 'default'
   */
  name?: string;
  /**
   * Decorators for the endpoint's controller. Use them to exempt the endpoint from global guards, for example with your
   * own `@Public()` or with `SkipThrottle()`.
   *
   * @default []
   */
  controllerDecorators?: readonly ClassDecorator[];
  /**
   * Makes `ScalekitEventDispatcher` and `ScalekitInbox` injectable in every module of the application.
   *
   * @default false
   */
  isGlobal?: boolean;
}

/** The class that `useClass` and `useExisting` of `forRootAsync` expect. */
export interface ScalekitWebhooksOptionsFactory {
  createScalekitWebhooksOptions(): ScalekitWebhooksOptions | Promise<ScalekitWebhooksOptions>;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws ScalekitWebhooksConfigurationError if an option is invalid
 */
export function resolveOptions(
  options: ScalekitWebhooksOptions,
  { path, name }: EndpointOptions,
): ReceiveOptions {
  if (typeof options !== 'object' || options === null) {
    refuseSetting('useFactory', MESSAGES.factoryReturnedNothing);
  }
  for (const setting of ['path', 'name', 'controllerDecorators', 'isGlobal']) {
    if (setting in options) refuseSetting(setting, MESSAGES.optionFromFactory(setting));
  }
  const { environmentId, statusCodes, ...given } = options;
  const resolved: ReceiveOptions = {
    toleranceSeconds: DEFAULT_TOLERANCE_SECONDS,
    validation: 'strict',
    handlerTimeoutMs: 9000,
    maxBodyBytes: 1024 * 1024,
    eventEmitter: false,
    ...withoutUndefined(given),
    inbox: given.inbox ?? new MemoryInboxStore(),
    transport: given.transport ?? new InlineTransport(),
    path,
    name,
    statusCodes: Object.freeze({ ...DEFAULT_STATUS_CODES, ...withoutUndefined(statusCodes ?? {}) }),
    ...(environmentId !== undefined && { environmentIds: new Set([environmentId].flat()) }),
  };
  check(resolved);
  return Object.freeze(resolved);
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

const ONE_GIB = 2 ** 30;

function check(options: ReceiveOptions): void {
  requireDurationMs('handlerTimeoutMs', options.handlerTimeoutMs);
  requirePositiveInteger('maxBodyBytes', options.maxBodyBytes, ONE_GIB);
  requireToleranceSeconds(options.toleranceSeconds);
  requireOneOf('validation', options.validation, ['strict', 'lenient', 'off']);
  requireOneOf('eventEmitter', options.eventEmitter, [true, false]);
  requireMethod('inbox', options.inbox, 'claim');
  requireMethod('transport', options.transport, 'start');
  if (options.transport.spansProcesses && options.inbox instanceof MemoryInboxStore) {
    refuseSetting('inbox', MESSAGES.inboxNotShared);
  }
  if (options.verifier !== undefined && typeof options.verifier !== 'function') {
    refuseSetting('verifier', MESSAGES.verifierInvalid);
  }
  if (options.environmentIds) checkEnvironmentIds(options.environmentIds);
  checkStatusCodes(options.statusCodes);
}

function checkEnvironmentIds(ids: ReadonlySet<unknown>): void {
  const valid = ids.size > 0 && [...ids].every((id) => typeof id === 'string' && id !== '');
  if (!valid) refuseSetting('environmentId', MESSAGES.environmentIdInvalid);
}

function checkStatusCodes(statusCodes: ReceiveOptions['statusCodes']): void {
  for (const [outcome, status] of Object.entries(statusCodes)) {
    requireOneOf('statusCodes', outcome, Object.keys(DEFAULT_STATUS_CODES));
    const fits = isAcknowledged(outcome as Outcome)
      ? status >= 200 && status < 300
      : status >= 400 && status < 600;
    if (!fits || !Number.isInteger(status)) {
      refuseSetting('statusCodes', MESSAGES.statusCodeInvalid(outcome, status));
    }
  }
}

/** Error messages: what happened, then what to do. */
const MESSAGES = {
  factoryReturnedNothing: 'The factory returned no options; return {} to use the defaults.',
  optionFromFactory: (setting: string) =>
    `${setting} cannot come from a factory, because Nest needs it before the factory runs. Pass it to forRootAsync, next to useFactory.`,
  environmentIdInvalid:
    'environmentId must be the id of a Scalekit environment (env_…), or a non-empty list of ids.',
  statusCodeInvalid: (outcome: string, found: unknown) =>
    `statusCodes.${outcome} cannot be ${describeValue(found)}. processed, accepted, duplicate, dead and ignored must be a 2xx, all others a 4xx or 5xx.`,
  verifierInvalid: 'verifier must be a function.',
  inboxNotShared:
    'The transport runs handlers in other processes, which cannot see a MemoryInboxStore. Set the inbox option to a ' +
    'PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
} as const;
