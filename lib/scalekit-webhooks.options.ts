import { RetryFailedTransport } from './background/inbox.transport.js';
import type { EventTransport } from './dispatch/event-transport.js';
import { InlineTransport } from './dispatch/run.engine.js';
import {
  checkOptions,
  integerUpTo,
  type OptionChecks,
  objectWith,
  oneOf,
  oneOrMore,
  optional,
  refuseSetting,
  requireBoolean,
  requireDurationMs,
  requireFunction,
  requireText,
  requireToleranceSeconds,
  type SettingCheck,
  withoutUndefined,
} from './errors/settings.js';
import { INBOX_METHODS, type InboxStore } from './inbox/inbox-store.js';
import { MemoryInboxStore } from './inbox/memory-inbox.store.js';
import type { ValidationMode } from './parse/parse-event.js';
import {
  type EndpointOptions,
  type ReceiveOptions,
  requireEndpointName,
  requireEndpointPath,
  type SigningSecretSetting,
  type WebhookVerifier,
} from './receive/receive.options.js';
import { DEFAULT_STATUS_CODES, isAcknowledged, OUTCOMES, type Outcome } from './respond/outcome.js';
import { MESSAGES } from './scalekit-webhooks.messages.js';
import { readSigningSecret } from './verify/signing-secret.js';
import { DEFAULT_TOLERANCE_SECONDS } from './verify/verify-signature.js';

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
   * How handlers are started. Use an `InboxTransport` to acknowledge deliveries at once and run the handlers from the inbox,
   * or a `BullMqTransport` to run them from a queue.
   *
   * @default within the request, all handlers at the same time
   */
  transport?: EventTransport;
  /**
   * Retries what Scalekit gave up: a run that failed or has no result gets up to 8 more attempts from the inbox, half an
   * hour after its last one. Only without a `transport`, and with a `PostgresInboxStore` or a `SqliteInboxStore`.
   *
   * @default false
   */
  retryFailed?: boolean;
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

const ONE_GIB = 2 ** 30;

const STATUS_CODE_CHECKS = Object.fromEntries(
  OUTCOMES.map((outcome) => [outcome, optional(statusCodeFor(outcome))]),
);

const OPTION_CHECKS: OptionChecks<ScalekitWebhooksOptions> = {
  signingSecret: optional(requireSigningSecretSetting),
  toleranceSeconds: optional(requireToleranceSeconds),
  environmentId: optional(oneOrMore(requireText)),
  validation: optional(oneOf(['strict', 'lenient', 'off'])),
  inbox: optional(objectWith(...INBOX_METHODS)),
  transport: optional(objectWith('start')),
  retryFailed: optional(requireBoolean),
  handlerTimeoutMs: optional(requireDurationMs),
  retryable: optional(requireFunction),
  maxBodyBytes: optional(integerUpTo(ONE_GIB)),
  eventEmitter: optional(requireBoolean),
  statusCodes: optional((setting, codes) => checkOptions(codes, STATUS_CODE_CHECKS, setting)),
  verifier: optional(requireFunction),
};

const ENDPOINT_CHECKS: OptionChecks<ScalekitWebhooksEndpointOptions> = {
  path: optional(requireEndpointPath),
  name: optional(requireEndpointName),
  controllerDecorators: optional(requireDecorators),
  isGlobal: optional(requireBoolean),
};

/** @throws ScalekitWebhooksConfigurationError if an option of `forRoot` is unknown or invalid */
export function checkForRoot(options: unknown): ScalekitWebhooksOptions & ScalekitWebhooksEndpointOptions {
  return checkOptions<ScalekitWebhooksOptions & ScalekitWebhooksEndpointOptions>(options, {
    ...OPTION_CHECKS,
    ...ENDPOINT_CHECKS,
  });
}

/** @throws ScalekitWebhooksConfigurationError if an option of `forRootAsync` is unknown or invalid */
export function checkForRootAsync<T extends object>(options: T): T {
  const checked = checkOptions<object>(options, {
    imports: optional(requireArray),
    inject: optional(requireArray),
    useFactory: optional(requireFunction),
    useClass: optional(requireFunction),
    useExisting: () => {},
    provideInjectionTokensFrom: optional(requireArray),
    ...ENDPOINT_CHECKS,
  });
  const sources = ['useFactory', 'useClass', 'useExisting'];
  if (sources.every((source) => Reflect.get(checked, source) === undefined)) {
    refuseSetting('useFactory', MESSAGES.noFactory);
  }
  return checked as T;
}

/**
 * Checks the options, which a factory may have returned, and fills in the defaults.
 *
 * @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid
 */
export function resolveOptions(options: ScalekitWebhooksOptions, endpoint: EndpointOptions): ReceiveOptions {
  if (typeof options !== 'object' || options === null) {
    refuseSetting('useFactory', MESSAGES.factoryReturnedNothing);
  }
  for (const setting of Object.keys(ENDPOINT_CHECKS)) {
    if (Object.hasOwn(options, setting)) refuseSetting(setting, MESSAGES.optionFromFactory(setting));
  }
  const checked = checkOptions(options, OPTION_CHECKS);
  const { retryFailed } = checked;
  const resolved = new ResolvedOptions(checked, endpoint);
  if (retryFailed && checked.transport) refuseSetting('retryFailed', MESSAGES.transportRetries);
  if (resolved.inbox instanceof MemoryInboxStore) {
    if (retryFailed) refuseSetting('retryFailed', MESSAGES.memoryForgets);
    const { spansProcesses, inboxWork } = resolved.transport;
    if (spansProcesses && !inboxWork?.hasWorker) refuseSetting('inbox', MESSAGES.inboxNotShared);
  }
  return resolved;
}

/**
 * The options of an endpoint. It has every property itself, so that none can come from `Object.prototype`. The secret is
 * private, so that nothing that holds the options prints it.
 */
class ResolvedOptions implements ReceiveOptions {
  readonly name: string;
  readonly path: string;
  readonly inbox: InboxStore;
  readonly transport: EventTransport;
  readonly handlerTimeoutMs: number;
  readonly validation: ValidationMode;
  readonly eventEmitter: boolean;
  readonly retryable: ReceiveOptions['retryable'];
  readonly statusCodes: ReceiveOptions['statusCodes'];
  readonly verifier: ReceiveOptions['verifier'];
  readonly toleranceSeconds: number;
  readonly environmentIds: ReceiveOptions['environmentIds'];
  readonly maxBodyBytes: number;
  readonly #signingSecret: SigningSecretSetting | undefined;

  constructor(given: ScalekitWebhooksOptions, { name, path }: EndpointOptions) {
    const { environmentId } = given;
    this.name = name;
    this.path = path;
    this.inbox = given.inbox ?? new MemoryInboxStore();
    this.handlerTimeoutMs = given.handlerTimeoutMs ?? 9000;
    this.transport =
      given.transport ??
      (given.retryFailed ? new RetryFailedTransport(this.handlerTimeoutMs) : new InlineTransport());
    this.validation = given.validation ?? 'strict';
    this.eventEmitter = given.eventEmitter ?? false;
    this.retryable = given.retryable;
    this.statusCodes = Object.freeze({
      ...DEFAULT_STATUS_CODES,
      ...withoutUndefined(given.statusCodes ?? {}),
    });
    this.verifier = given.verifier;
    this.toleranceSeconds = given.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS;
    this.environmentIds = environmentId === undefined ? undefined : new Set([environmentId].flat());
    this.maxBodyBytes = given.maxBodyBytes ?? 1024 * 1024;
    this.#signingSecret = given.signingSecret;
    Object.freeze(this);
  }

  get signingSecret(): SigningSecretSetting | undefined {
    return this.#signingSecret;
  }
}

/** An empty list is reported at startup, because an endpoint with a verifier does not need a secret. */
function requireSigningSecretSetting(setting: string, value: unknown): void {
  if (typeof value === 'function') return;
  for (const secret of [value].flat()) readSigningSecret(setting, secret);
}

function statusCodeFor(outcome: Outcome): SettingCheck {
  const [least, most] = isAcknowledged(outcome) ? [200, 299] : [400, 599];
  return (setting, value) => {
    const status = Number.isInteger(value) ? Number(value) : 0;
    if (status < least || status > most) refuseSetting(setting, MESSAGES.statusCodeInvalid(setting, value));
  };
}

function requireDecorators(setting: string, value: unknown): void {
  requireArray(setting, value);
  for (const decorator of [value].flat()) requireFunction(setting, decorator);
}

function requireArray(setting: string, value: unknown): void {
  if (!Array.isArray(value)) refuseSetting(setting, MESSAGES.notAnArray(setting, value));
}
