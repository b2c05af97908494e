import 'reflect-metadata';
import { HandlerDeclarationError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  oneOrMore,
  optional,
  refuseSetting,
  requireBackoff,
  requireBoolean,
  requireDurationMs,
  requirePositiveInteger,
  requireText,
} from '../errors/settings.js';
import type { ScalekitEvent, ScalekitEventPattern } from '../events/scalekit-event.types.js';
import { MESSAGES } from './dispatch.messages.js';
import type { HandlerRetries } from './event-transport.js';
import type { EventHandler, EventOrder } from './handler.registry.js';
import { DELIVERY_PARAM, EVENT_PARAM, HANDLER_PARAMS_METADATA } from './nest-internals.js';
import type { ScalekitWebhooksObserver } from './observers.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

type PatternIn<P> = P extends readonly (infer Item extends ScalekitEventPattern)[]
  ? Item
  : P extends ScalekitEventPattern
    ? P
    : never;

// The target of a static method is a class, which has a prototype.
type ClassInstance = object & { readonly prototype?: never };

type ScalekitEventHandler<P> = (event: ScalekitEvent<PatternIn<P>>, delivery: ScalekitDelivery) => unknown;

/**
 * Makes a method of a provider or controller the handler of an event type, of several types, or of all types that match
 * a pattern. You can stack decorators: the method still runs once per event, even if several of them match. A parameter
 * that does not fit the event does not compile.
 *
 * @param pattern an event type, a pattern such as `'organization.*'` or `'*'`, or an array of these
 * @throws HandlerDeclarationError when it decorates anything but an instance method, or a pattern or an option is invalid
 * @example
 * ```ts
 * @OnScalekitEvent('user.created')
 * async welcome(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {}
 * ```
 */
export function OnScalekitEvent<
  const P extends ScalekitEventPattern | readonly [ScalekitEventPattern, ...ScalekitEventPattern[]],
>(pattern: P, options: OnScalekitEventOptions<ScalekitEvent<PatternIn<P>>> = {}) {
  return <H extends ScalekitEventHandler<P>>(
    target: ClassInstance,
    methodName: string | symbol,
    descriptor: TypedPropertyDescriptor<H>,
  ): void => {
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      throw new HandlerDeclarationError(MESSAGES.notAnInstanceMethod(String(methodName)));
    }
    const method = `${target.constructor.name}.${String(methodName)}`;
    const checked = checkDeclaration(method, pattern, options);
    const patterns: readonly ScalekitEventPattern[] = typeof pattern === 'string' ? [pattern] : pattern;
    declareHandler(target, methodName, { patterns, options: checked }, descriptor.value.length);
  };
}

/** Options of one handler. */
export interface OnScalekitEventOptions<E = ScalekitEvent> {
  /**
   * The handler's id in the inbox. It must stay the same across releases, so set it if class or method names are
   * minified or likely to change. At most 255 characters.
   * @default `ClassName.methodName`
   */
  id?: string;
  /**
   * The endpoints whose events the handler receives, by the module's `name` option.
   * @default every endpoint
   */
  endpoint?: string | readonly string[];
  /**
   * How long one attempt may take, in ms. It can shorten the module's `handlerTimeoutMs` (in a worker, the
   * transport's), but not extend it.
   * @default the module's `handlerTimeoutMs`
   */
  timeoutMs?: number;
  /**
   * The maximum number of attempts of workers, including the first. Without a worker, Scalekit decides how often to retry.
   * @default the transport's
   */
  attempts?: number;
  /**
   * How long a worker waits before each retry: a fixed time in ms, or how the time grows.
   * @default the transport's
   */
  backoff?: HandlerRetries['backoff'];
  /**
   * Whether the handler runs only for the newest event of each entity: for handlers that copy state. Events of the same
   * entity then run one at a time. If a newer event is done, the run of an older one becomes done without running the
   * handler. `scalekitEventEntity()` returns the entity of an event.
   * @default false
   */
  latestOnly?: boolean;
  /**
   * Which events to handle one at a time, oldest first: those of the same entity, of the same organization, or those for
   * which a function returns the same text. A run that failed holds back those behind it until it is done or dead. Events
   * without an entity or an organization, or for which the function returns undefined, may run at any time. The function of a
   * stacked decorator gets the events of all of them. Needs `InboxTransport`.
   * @default none: events run as they arrive
   */
  order?: EventOrder<E>;
}

/** What one `@OnScalekitEvent` declares. */
interface HandlerDeclaration {
  readonly patterns: readonly string[];
  readonly options: OnScalekitEventOptions;
}

// Databases limit the size of a key, and the id is part of one.
const LONGEST_ID = 255;

const CHECKS: OptionChecks<OnScalekitEventOptions> = {
  id: optional(requireId),
  endpoint: optional(oneOrMore(requireText)),
  timeoutMs: optional(requireDurationMs),
  attempts: optional(requirePositiveInteger),
  backoff: optional(requireBackoff),
  latestOnly: optional(requireBoolean),
  order: optional(requireOrder),
};

function requireOrder(setting: string, value: unknown): void {
  if (value === 'entity' || value === 'organization' || typeof value === 'function') return;
  refuseSetting(
    setting,
    `${setting} must be 'entity', 'organization' or a function, found ${describeValue(value)}.`,
  );
}

function requireId(setting: string, value: unknown): void {
  if (typeof value === 'string' && value !== '' && value.length <= LONGEST_ID) return;
  refuseSetting(
    setting,
    `${setting} must be a string of 1 to ${LONGEST_ID} characters, found ${describeValue(value)}.`,
  );
}

/**
 * @returns the options, without what they inherit
 * @throws HandlerDeclarationError when a pattern or an option of `@OnScalekitEvent` is invalid
 */
export function checkDeclaration(method: string, pattern: unknown, options: unknown): OnScalekitEventOptions {
  try {
    oneOrMore(requireText)('pattern', pattern);
    return checkOptions(options, CHECKS);
  } catch (error) {
    if (!(error instanceof ScalekitWebhooksConfigurationError)) throw error;
    throw new HandlerDeclarationError(MESSAGES.declarationInvalid(method, error.message));
  }
}

// Symbol.for, because a process may load both the ESM and the CommonJS build of this library.
const HANDLER_METADATA = Symbol.for('nestjs-scalekit-webhooks:handler');
const DECLARING_CLASSES = Symbol.for('nestjs-scalekit-webhooks:declaring-classes');
const CONTAINED_CLASSES = Symbol.for('nestjs-scalekit-webhooks:contained-classes');

/** Stores a declaration next to the method, not on the function, so that other decorators may wrap the function. */
export function declareHandler(
  prototype: object,
  methodName: string | symbol,
  declaration: HandlerDeclaration,
  parameterCount: number,
): void {
  const earlier = ownDeclarations(prototype, methodName);
  Reflect.defineMetadata(HANDLER_METADATA, [declaration, ...earlier], prototype, methodName);
  const params = {
    [`${EVENT_PARAM}:0`]: { index: 0, pipes: [] },
    // A pipe written for the event must not see a delivery that the method does not take.
    ...(parameterCount !== 1 && { [`${DELIVERY_PARAM}:1`]: { index: 1, pipes: [] } }),
  };
  Reflect.defineMetadata(HANDLER_PARAMS_METADATA, params, prototype.constructor, methodName);
  declaringClasses().add(prototype.constructor);
}

/** The declarations of a method, outermost decorator first. An override without decorators has none. */
export function handlerDeclarations(prototype: object, methodName: string): readonly HandlerDeclaration[] {
  for (let owner: object | null = prototype; owner; owner = Object.getPrototypeOf(owner)) {
    if (Object.hasOwn(owner, methodName)) return ownDeclarations(owner, methodName);
  }
  return [];
}

/** Every class of this process that declares a handler, whether or not an application contains it. */
export function declaringClasses(): Set<object> {
  const registry: typeof globalThis & { [DECLARING_CLASSES]?: Set<object> } = globalThis;
  registry[DECLARING_CLASSES] ??= new Set();
  return registry[DECLARING_CLASSES];
}

/** The classes that an application of this process contains, or contained. No other application misses them. */
export function containedClasses(): WeakSet<object> {
  const registry: typeof globalThis & { [CONTAINED_CLASSES]?: WeakSet<object> } = globalThis;
  registry[CONTAINED_CLASSES] ??= new WeakSet();
  return registry[CONTAINED_CLASSES];
}

function ownDeclarations(prototype: object, methodName: string | symbol): readonly HandlerDeclaration[] {
  return Reflect.getOwnMetadata(HANDLER_METADATA, prototype, methodName) ?? [];
}

type SingleOption = 'id' | 'timeoutMs' | 'attempts' | 'backoff' | 'latestOnly' | 'order';

/**
 * Merges stacked decorators into one handler: all patterns, all endpoints, and one value of every other option.
 *
 * @throws HandlerDeclarationError when the decorators disagree, or the handler has no id
 */
export function resolveHandlerOptions(
  method: string,
  declarations: readonly HandlerDeclaration[],
): Omit<EventHandler, 'id' | 'run'> & { readonly id?: string } {
  const one = <K extends SingleOption>(setting: K): OnScalekitEventOptions[K] => {
    const given = declarations.map(({ options }) => options[setting]).filter((value) => value !== undefined);
    const [value, ...others] = new Set(given);
    if (others.length > 0) {
      throw new HandlerDeclarationError(MESSAGES.handlerOptionsDisagree(method, setting));
    }
    return value;
  };
  const id = one('id');
  const timeoutMs = one('timeoutMs');
  const attempts = one('attempts');
  const backoff = one('backoff');
  const latestOnly = one('latestOnly');
  const order = one('order');
  if (id === undefined && method.startsWith('.')) {
    throw new HandlerDeclarationError(MESSAGES.handlerWithoutId(method));
  }
  return {
    ...requestedEvents(declarations),
    ...(id !== undefined && { id }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(latestOnly !== undefined && { latestOnly }),
    ...(order !== undefined && { order }),
  };
}

/** The events that stacked decorators ask for: all of their patterns and endpoints. */
export function requestedEvents(
  declarations: readonly HandlerDeclaration[],
): Pick<EventHandler, 'patterns' | 'endpoints'> {
  const everywhere = declarations.some(({ options }) => options.endpoint === undefined);
  return {
    patterns: [...new Set(declarations.flatMap(({ patterns }) => patterns))],
    ...(!everywhere && {
      endpoints: [...new Set(declarations.flatMap(({ options }) => options.endpoint ?? []))],
    }),
  };
}

const OBSERVER_METADATA = Symbol.for('nestjs-scalekit-webhooks:observer');

/**
 * Makes a provider an observer of every endpoint of the application. It must be a singleton.
 *
 * @example
 * ```ts
 * @ScalekitObserver()
 * export class Alerts implements ScalekitWebhooksObserver {
 *   onRun({ state, handlerId, eventId }: ObservedRun) {}
 * }
 * ```
 */
export function ScalekitObserver() {
  return (target: new (...args: never[]) => ScalekitWebhooksObserver): void => {
    Reflect.defineMetadata(OBSERVER_METADATA, true, target);
  };
}

/** Whether a class is decorated with `@ScalekitObserver()`. */
export function isObserverClass(target: unknown): boolean {
  return typeof target === 'function' && Reflect.getMetadata(OBSERVER_METADATA, target) === true;
}
