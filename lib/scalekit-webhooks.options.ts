import type { Type } from '@nestjs/common';
import type { EventTransport } from './dispatch/event-transport.js';
import { InlineTransport } from './dispatch/run.engine.js';
import {
  describeValue,
  refuseSetting,
  requireMethod,
  requireOneOf,
  requirePositiveInteger,
} from './errors/settings.js';
import type { InboxStore } from './inbox/inbox-store.js';
import { MemoryInboxStore } from './inbox/memory-inbox.store.js';
import type { ValidationMode } from './parse/parse-event.js';
import type { ReceiveOptions, SigningSecretSetting, WebhookVerifier } from './receive/receive.options.js';
import type { Outcome } from './respond/outcome.js';
import { DEFAULT_STATUS_CODES, isAcknowledged } from './respond/outcome.js';
import { DEFAULT_TOLERANCE_SECONDS, requireToleranceSeconds } from './verify/verify-signature.js';

const MESSAGES = {
  factoryGaveNoOptions:
    'The factory of forRootAsync gave no options: return an object, {} where every default will do.',
  optionFromFactory: (setting: string) =>
    `${setting} shapes the route, which is made before any factory runs: give it beside useFactory, not in what it returns.`,
  environmentIdInvalid:
    'environmentId must be the id of a Scalekit environment (env_…), or a list of such ids.',
  statusCodeUnfit: (outcome: string, found: unknown) =>
    `statusCodes.${outcome} cannot be ${describeValue(found)}: processed, accepted, duplicate and ignored take a 2xx, all others a 4xx or 5xx.`,
  inboxNotShared:
    'The transport hands runs to other processes, which do not see a MemoryInboxStore: give the option inbox a ' +
    'PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.',
} as const;

/** Settings that may come from a factory. */
export interface ScalekitWebhooksOptions {
  /**
   * The endpoint's signing secret as the Scalekit dashboard shows it (`whsec_…`); several while one is being
   * replaced by another; or a function that finds them for each request.
   * @default `SCALEKIT_WEBHOOK_SECRET` (several separated by commas), from `ConfigService` where there is one, else
   * from the environment
   */
  signingSecret?: SigningSecretSetting;
  /**
   * How far a delivery's timestamp may lie from now, in seconds, both ways (Standard Webhooks).
   * @default 300
   */
  toleranceSeconds?: number;
  /**
   * The Scalekit environment whose events are taken (`env_…`), or several. Others are answered with 403.
   * @default any environment
   */
  environmentId?: string | readonly string[];
  /**
   * `strict`: an event that a handler could not make sense of is answered with 400. `lenient`: it is handled, and
   * the findings stand in `delivery.issues`. `off`: only the envelope is looked at.
   * @default 'strict'
   */
  validation?: ValidationMode;
  /**
   * The ledger of events and of their handlers' runs.
   * @default a new MemoryInboxStore
   */
  inbox?: InboxStore;
  /**
   * How handlers' runs are started.
   * @default within the request, side by side
   */
  transport?: EventTransport;
  /**
   * How long handlers may take, in ms, counted from the request's arrival. Scalekit waits for 10 s.
   * @default 9000
   */
  handlerTimeoutMs?: number;
  /**
   * The largest body that is accepted, in bytes, after decompression. A larger one is answered with 413.
   * @default 1048576 (1 MiB)
   */
  maxBodyBytes?: number;
  /**
   * Whether each event is also emitted as `scalekit.<type>` on `@nestjs/event-emitter`, and awaited.
   * @default false
   */
  eventEmitter?: boolean;
  /**
   * Other status codes for some outcomes. An outcome that acknowledges stays a 2xx, any other a 4xx or 5xx.
   * @default the guide's codes
   */
  statusCodes?: Partial<Record<Outcome, number>>;
  /**
   * Verifies deliveries in place of the library, for example with Scalekit's SDK.
   * @default both signature schemes, verified by `verifyWebhookSignature`
   */
  verifier?: WebhookVerifier;
}

/** Settings that must be known before any factory runs, since they shape the route. */
export interface ScalekitWebhooksEndpointOptions {
  /**
   * The endpoint's path, below the global prefix. Segments may be parameters (`webhooks/:tenant`).
   * @default 'webhooks/scalekit'
   */
  path?: string;
  /**
   * The endpoint's name, where an application has several: in logs, in the inbox, and in handlers' `endpoint` option.
   * @default 'default'
   */
  name?: string;
  /**
   * Decorators for the endpoint's controller, such as an auth guard's `@Public()` or `SkipThrottle()`.
   * @default []
   */
  controllerDecorators?: readonly ClassDecorator[];
  /**
   * Whether `ScalekitEventDispatcher` and `ScalekitInbox` can be injected without importing the module.
   * @default false
   */
  isGlobal?: boolean;
}

/** What `useClass` and `useExisting` expect. */
export interface ScalekitWebhooksOptionsFactory {
  createScalekitWebhooksOptions(): ScalekitWebhooksOptions | Promise<ScalekitWebhooksOptions>;
}

/** The class of a {@link ScalekitWebhooksOptionsFactory}. */
export type ScalekitWebhooksOptionsFactoryClass = Type<ScalekitWebhooksOptionsFactory>;

const VALIDATION_MODES: readonly ValidationMode[] = ['strict', 'lenient', 'off'];

/** @throws ScalekitWebhooksConfigurationError that names the setting, what was found, and what to do */
export function resolveOptions(
  options: ScalekitWebhooksOptions,
  { path, name }: Required<Pick<ScalekitWebhooksEndpointOptions, 'path' | 'name'>>,
): ReceiveOptions {
  if (typeof options !== 'object' || options === null)
    refuseSetting('useFactory', MESSAGES.factoryGaveNoOptions);
  const { environmentId, statusCodes, ...given } = options;
  for (const setting of ['path', 'name', 'controllerDecorators', 'isGlobal']) {
    if (setting in options) refuseSetting(setting, MESSAGES.optionFromFactory(setting));
  }
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

// Node's timers fire at once beyond 2^31 ms, and a lease is twice the handlers' time.
const MAX_LIMIT = 2 ** 30 - 1;

function check(options: ReceiveOptions): void {
  for (const setting of ['handlerTimeoutMs', 'maxBodyBytes'] as const) {
    requirePositiveInteger(setting, options[setting], MAX_LIMIT);
  }
  requireToleranceSeconds(options.toleranceSeconds);
  requireOneOf('validation', options.validation, VALIDATION_MODES);
  if (options.transport.spansProcesses && options.inbox instanceof MemoryInboxStore) {
    refuseSetting('inbox', MESSAGES.inboxNotShared);
  }
  requireOneOf('eventEmitter', options.eventEmitter, [true, false]);
  requireMethod('inbox', options.inbox, 'claim');
  requireMethod('transport', options.transport, 'start');
  if ('verifier' in options && typeof options.verifier !== 'function') {
    refuseSetting('verifier', 'verifier must be a function.');
  }
  if (options.environmentIds?.size === 0) refuseSetting('environmentId', MESSAGES.environmentIdInvalid);
  for (const id of options.environmentIds ?? []) {
    if (typeof id !== 'string' || id === '') refuseSetting('environmentId', MESSAGES.environmentIdInvalid);
  }
  for (const [outcome, status] of Object.entries(options.statusCodes)) {
    requireOneOf('statusCodes', outcome, Object.keys(DEFAULT_STATUS_CODES));
    const fits = isAcknowledged(outcome as Outcome)
      ? status >= 200 && status < 300
      : status >= 400 && status < 600;
    if (!Number.isInteger(status) || !fits)
      refuseSetting('statusCodes', MESSAGES.statusCodeUnfit(outcome, status));
  }
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
