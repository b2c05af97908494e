import type { Type } from '@nestjs/common';
import type { EventTransport } from './dispatch/event-transport.js';
import { InlineTransport } from './dispatch/event-transport.js';
import { ScalekitWebhooksConfigurationError } from './errors/errors.js';
import type { InboxStore } from './inbox/inbox-store.js';
import { MemoryInboxStore } from './inbox/memory-inbox.store.js';
import type { ValidationMode } from './parse/parse-event.js';
import type { SigningSecretSetting } from './receive/endpoint.secrets.js';
import type { WebhookVerifier } from './receive/webhook-verifier.js';
import type { Outcome } from './respond/outcome.js';
import { DEFAULT_STATUS_CODES, isAcknowledged, type OutcomeStatusCodes } from './respond/outcome.js';
import { MESSAGES } from './scalekit-webhooks.messages.js';
import { DEFAULT_TOLERANCE_SECONDS } from './verify/verify-signature.js';

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
  handlerTimeout?: number;
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

/** Injection token of the resolved options of an endpoint. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:options');

/** Options with every default filled in, checked and frozen. */
export type ResolvedOptions = Readonly<
  Required<Omit<ScalekitWebhooksOptions, 'signingSecret' | 'verifier' | 'environmentId' | 'statusCodes'>> &
    Required<Pick<ScalekitWebhooksEndpointOptions, 'path' | 'name'>> & {
      signingSecret?: SigningSecretSetting;
      verifier?: WebhookVerifier;
      environmentIds?: ReadonlySet<string>;
      statusCodes: OutcomeStatusCodes;
    }
>;

const VALIDATION_MODES: readonly ValidationMode[] = ['strict', 'lenient', 'off'];

// What tells a usable value of these settings from another.
const METHODS = [
  ['inbox', 'claim'],
  ['transport', 'start'],
  ['verifier', 'call'],
] as const;

/** @throws ScalekitWebhooksConfigurationError that names the setting, what was found, and what to do */
export function resolveOptions(
  options: ScalekitWebhooksOptions,
  { path, name }: Required<Pick<ScalekitWebhooksEndpointOptions, 'path' | 'name'>>,
): ResolvedOptions {
  if (typeof options !== 'object' || options === null) refuse('useFactory', MESSAGES.factoryGaveNoOptions);
  const { environmentId, statusCodes, ...given } = options;
  for (const setting of ['path', 'name', 'controllerDecorators', 'isGlobal']) {
    if (setting in options) refuse(setting, MESSAGES.optionFromFactory(setting));
  }
  const resolved: ResolvedOptions = {
    toleranceSeconds: DEFAULT_TOLERANCE_SECONDS,
    validation: 'strict',
    handlerTimeout: 9000,
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

function check(options: ResolvedOptions): void {
  for (const setting of ['handlerTimeout', 'maxBodyBytes'] as const) {
    const value = options[setting];
    if (!Number.isSafeInteger(value) || value <= 0) {
      refuse(setting, MESSAGES.notAPositiveInteger(setting, value));
    }
    if (value > MAX_LIMIT) refuse(setting, MESSAGES.tooLarge(setting, value));
  }
  if (!Number.isFinite(options.toleranceSeconds) || options.toleranceSeconds < 0) {
    refuse('toleranceSeconds', MESSAGES.toleranceIsInvalid);
  }
  if (!VALIDATION_MODES.includes(options.validation)) {
    refuse('validation', MESSAGES.notOneOf('validation', options.validation, VALIDATION_MODES));
  }
  if (options.transport.spansProcesses && options.inbox instanceof MemoryInboxStore) {
    refuse('inbox', MESSAGES.inboxNotShared);
  }
  if (typeof options.eventEmitter !== 'boolean') {
    refuse('eventEmitter', MESSAGES.notOneOf('eventEmitter', options.eventEmitter, ['true', 'false']));
  }
  for (const [setting, method] of METHODS) {
    if (setting in options && !hasMethod(options[setting], method)) {
      refuse(setting, MESSAGES.notUsable(setting, method));
    }
  }
  if (options.environmentIds?.size === 0) refuse('environmentId', MESSAGES.environmentIdInvalid);
  for (const id of options.environmentIds ?? []) {
    if (typeof id !== 'string' || id === '') refuse('environmentId', MESSAGES.environmentIdInvalid);
  }
  for (const [outcome, status] of Object.entries(options.statusCodes)) {
    if (!Object.hasOwn(DEFAULT_STATUS_CODES, outcome)) {
      refuse('statusCodes', MESSAGES.notOneOf('statusCodes', outcome, Object.keys(DEFAULT_STATUS_CODES)));
    }
    const fits = isAcknowledged(outcome as Outcome)
      ? status >= 200 && status < 300
      : status >= 400 && status < 600;
    if (!Number.isInteger(status) || !fits) refuse('statusCodes', MESSAGES.statusCodeUnfit(outcome, status));
  }
}

function hasMethod(value: unknown, method: string): boolean {
  return typeof Reflect.get(Object(value), method) === 'function';
}

function refuse(setting: string, message: string): never {
  throw new ScalekitWebhooksConfigurationError(setting, message);
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
