import type { DynamicModule } from '@nestjs/common';
import { RetryFailedTransport } from './background/inbox.transport.js';
import type { EventTransport } from './dispatch/event-transport.js';
import type { ScalekitWebhooksObserver } from './dispatch/observers.js';
import { InlineTransport } from './dispatch/run.engine.js';
import {
  checkOptions,
  describeValue,
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
import type { InboxStore } from './inbox/inbox-store.js';
import { INBOX_METHODS } from './inbox/inbox-work.js';
import { MemoryInboxStore } from './inbox/memory-inbox.store.js';
import type { ValidationMode } from './parse/parse-event.js';
import {
  type EndpointOptions,
  type ReceiveOptions,
  requireEndpointName,
  requireEndpointPath,
  type SigningSecretSetting,
} from './receive/receive.options.js';
import { DEFAULT_STATUS_CODES, isAcknowledged, OUTCOMES, type Outcome } from './respond/outcome.js';
import type {
  ScalekitWebhooksEndpointOptions,
  ScalekitWebhooksOptions,
} from './scalekit-webhooks.options.js';
import { readSigningSecret, SECRET_VARIABLE, splitSecrets } from './verify/signing-secret.js';
import { DEFAULT_TOLERANCE_SECONDS } from './verify/verify-signature.js';

const ONE_GIB = 2 ** 30;

const STATUS_CODE_CHECKS = Object.fromEntries(
  OUTCOMES.map((outcome) => [outcome, optional(statusCodeFor(outcome))]),
);

/** The methods of an observer, of which it needs at least one. */
const OBSERVER_METHODS = [
  'onDelivery',
  'onRun',
  'onRecovery',
  'onInbox',
  'traceDelivery',
  'traceRun',
  'carry',
] as const satisfies (keyof ScalekitWebhooksObserver)[];

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
  observers: optional(requireObservers),
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
 * private, so that printing the options does not reveal it.
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
  readonly observers: ReceiveOptions['observers'];
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
    this.observers = given.observers ?? [];
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

function requireObservers(setting: string, value: unknown): void {
  requireArray(setting, value);
  for (const [index, observer] of [value].flat().entries()) {
    const observes = (method: string) => typeof Reflect.get(Object(observer), method) === 'function';
    if (typeof observer !== 'object' || !OBSERVER_METHODS.some(observes)) {
      refuseSetting(setting, MESSAGES.observerInvalid(`${setting}[${index}]`, observer));
    }
  }
}

function requireArray(setting: string, value: unknown): void {
  if (!Array.isArray(value)) refuseSetting(setting, MESSAGES.notAnArray(setting, value));
}

/** Error messages: what happened, then what to do. */
const MESSAGES = {
  noFactory: 'forRootAsync needs useFactory, useClass or useExisting, which provides the options.',
  factoryReturnedNothing: 'The factory returned no options; return {} to use the defaults.',
  optionFromFactory: (setting: string) =>
    `${setting} cannot come from a factory, because Nest needs it before the factory runs. Pass it to forRootAsync, next to useFactory.`,
  notAnArray: (setting: string, found: unknown) =>
    `${setting} must be an array, found ${describeValue(found)}.`,
  observerInvalid: (setting: string, found: unknown) =>
    `${setting} must be an object with at least one of the methods ${OBSERVER_METHODS.join(', ')}; found ${describeValue(found)}.`,
  statusCodeInvalid: (setting: string, found: unknown) =>
    `${setting} cannot be ${describeValue(found)}. processed, accepted, duplicate, dead and ignored must be a 2xx, all others a 4xx or 5xx.`,
  transportRetries:
    'retryFailed is for handlers that run within the request. Remove it: the transport retries runs itself.',
  memoryForgets:
    'retryFailed needs an inbox that outlives the process. Set the inbox option to a PostgresInboxStore or a SqliteInboxStore.',
  inboxNotShared:
    'The transport runs handlers in other processes, which cannot see a MemoryInboxStore. Set the inbox option to a ' +
    'PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
} as const;

const NAMESPACE = 'scalekitWebhooks';

/**
 * The module's settings as a configuration namespace of `@nestjs/config`: the signing secrets in the environment
 * variable `SCALEKIT_WEBHOOK_SECRET`, separated by commas. Use it like the result of `registerAs`.
 *
 * @example
 * ```ts
 * ScalekitWebhooksModule.forRootAsync(scalekitWebhooksConfig.asProvider())
 * ```
 */
// The same as `registerAs(NAMESPACE, readEnvironment)`, without importing the package: it is an optional peer dependency.
export const scalekitWebhooksConfig = Object.assign(readEnvironment, {
  KEY: `CONFIGURATION(${NAMESPACE})` as const,
  PARTIAL_CONFIGURATION_KEY: NAMESPACE,
  asProvider: () => ({
    imports: [configFeature()],
    useFactory: (config: ScalekitWebhooksOptions) => config,
    inject: [scalekitWebhooksConfig.KEY],
  }),
});

function readEnvironment(): Pick<ScalekitWebhooksOptions, 'signingSecret'> {
  const secrets = splitSecrets(process.env[SECRET_VARIABLE]);
  return secrets.length > 0 ? { signingSecret: secrets } : {};
}

async function configFeature(): Promise<DynamicModule> {
  const { ConfigModule } = await importConfig();
  return ConfigModule.forFeature(scalekitWebhooksConfig);
}

/** @throws ScalekitWebhooksConfigurationError when the package is not installed */
async function importConfig(): Promise<typeof import('@nestjs/config')> {
  try {
    return await import('@nestjs/config');
  } catch {
    return refuseSetting(
      'scalekitWebhooksConfig',
      'scalekitWebhooksConfig.asProvider() needs @nestjs/config. Install it, or set SCALEKIT_WEBHOOK_SECRET and use forRoot().',
    );
  }
}
