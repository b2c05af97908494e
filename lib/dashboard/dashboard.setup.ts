import { type CanActivate, Inject, Injectable, type ModuleMetadata, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { type DispatchOptions, RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { toRunError } from '../dispatch/handler-failure.js';
import type { ObservedRecovery, ScalekitWebhooksObserver } from '../dispatch/observers.js';
import { ScalekitObserver } from '../dispatch/on-scalekit-event.decorator.js';
import {
  checkOptions,
  describeValue,
  type OptionChecks,
  optional,
  refuseSetting,
  requireBoolean,
  requireFunction,
  type SettingCheck,
  withoutUndefined,
} from '../errors/settings.js';
import type { InboxRunCount, RunState } from '../inbox/inbox-queries.js';
import { requireEndpointPath } from '../receive/receive.options.js';
import type { ScalekitInbox, ScalekitInboxFilter } from '../replay/scalekit-inbox.js';
import { inTime } from '../replay/stored-events.js';
import { getScalekitInboxToken } from '../scalekit-webhooks.injection.js';

/** The options of the dashboard that a factory may return. */
export interface ScalekitDashboardOptions {
  /**
   * Decides who may read payloads, which contain personal data. It gets the platform's request, after your guards have run.
   * Only `true` allows it. If the function throws, the error is logged and the payload stays hidden.
   *
   * @default nobody
   * @example canReadPayload: ({ user }: AuthenticatedRequest) => user.roles.includes('support')
   */
  // A method, so that its parameter may be the application's own type of a request.
  canReadPayload?(request: object): boolean | Promise<boolean>;
}

/** The options of the dashboard that go next to the factory of `forRootAsync`: Nest needs them before it calls the factory. */
export interface ScalekitDashboardRouteOptions {
  /**
   * The path of the dashboard, without the global prefix. Segments may be parameters.
   *
   * @default 'admin/webhooks'
   */
  path?: string;
  /**
   * Guards that let only your operators in: classes, which Nest creates with their dependencies, or objects. They run before
   * every route of the dashboard, after the global guards. Required, unless `unsafeWithoutGuard` is true.
   */
  guards?: readonly (Type<CanActivate> | CanActivate)[];
  /**
   * Starts without guards. Set it only if something else protects the path, such as a global guard or a proxy: anyone who
   * can open the dashboard can run handlers again.
   *
   * @default false
   */
  unsafeWithoutGuard?: boolean;
  /**
   * The modules that export what the guards inject.
   *
   * @default []
   */
  imports?: ModuleMetadata['imports'];
  /**
   * Decorators for the dashboard's controller, for example your own `@Roles('admin')` that a guard reads.
   *
   * @default []
   */
  controllerDecorators?: readonly ClassDecorator[];
}

/** Injection token of the options that a factory may return. */
export const DASHBOARD_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:dashboard-options');

const CHECKS: OptionChecks<ScalekitDashboardOptions> = { canReadPayload: optional(requireFunction) };

const ROUTE_CHECKS: OptionChecks<ScalekitDashboardRouteOptions> = {
  path: optional(requireEndpointPath),
  guards: optional(requireGuards),
  unsafeWithoutGuard: optional(requireBoolean),
  imports: optional(listWith(['object', 'function'], 'modules')),
  controllerDecorators: optional(listWith(['function'], 'decorators')),
};

/** @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid, or there are no guards */
export function checkForRoot(options: unknown): ScalekitDashboardOptions & ScalekitDashboardRouteOptions {
  const checked = checkOptions<ScalekitDashboardOptions & ScalekitDashboardRouteOptions>(options, {
    ...CHECKS,
    ...ROUTE_CHECKS,
  });
  requireProtection(checked);
  return checked;
}

/** @throws ScalekitWebhooksConfigurationError if an option is unknown or invalid, or there are no guards */
export function checkForRootAsync<T extends object>(options: T): T {
  const checked = checkOptions<object>(options, {
    inject: () => {},
    useFactory: optional(requireFunction),
    useClass: optional(requireFunction),
    useExisting: () => {},
    provideInjectionTokensFrom: () => {},
    ...ROUTE_CHECKS,
  });
  requireProtection(checked);
  return checked as T;
}

/** @throws ScalekitWebhooksConfigurationError if an option that a factory returned is unknown or invalid */
export function resolveDashboardOptions(options: ScalekitDashboardOptions): ScalekitDashboardOptions {
  return withoutUndefined(checkOptions(options, CHECKS));
}

function requireProtection({ guards, unsafeWithoutGuard }: ScalekitDashboardRouteOptions): void {
  if (unsafeWithoutGuard !== true && guards === undefined) refuseSetting('guards', MESSAGES.noGuards);
}

function requireGuards(setting: string, value: unknown): void {
  if (!Array.isArray(value) || value.length === 0) refuseSetting(setting, MESSAGES.noGuards);
  for (const guard of value) {
    if (!isGuard(guard)) refuseSetting(setting, MESSAGES.notAGuard(guard));
  }
}

/** A middleware function is no guard: versions of Nest would ignore it. A class can have `canActivate` as a property. */
function isGuard(value: unknown): boolean {
  const guard = typeof value === 'function' ? value.prototype : value;
  if (typeof Reflect.get(Object(guard), 'canActivate') === 'function') return true;
  return typeof value === 'function' && /^class\b/.test(String(value));
}

function listWith(types: readonly string[], what: string): SettingCheck {
  return (setting, value) => {
    if (Array.isArray(value) && value.every((item) => item !== null && types.includes(typeof item))) return;
    refuseSetting(setting, `${setting} must be an array of ${what}, found ${describeValue(value)}.`);
  };
}

// Longer than stores wait for their database.
export const INBOX_TIMEOUT_MS = 15_000;

/** What the overview shows of one endpoint. */
export interface EndpointSummary {
  readonly name: string;
  readonly handlerIds: readonly string[];
  /** Why the rest is not known. */
  readonly problem?: string;
  readonly counts?: readonly InboxRunCount[];
  /** The last hours, oldest first. */
  readonly activity?: readonly ActivityHour[];
  /** Undefined if there is nothing to pause. */
  readonly isPaused?: boolean | undefined;
  /** The last recovery that this process has seen. */
  readonly recovery?: { readonly text: string; readonly at: Date } | undefined;
}

/** The events that an endpoint received in one hour, by the inbox's clock. */
export interface ActivityHour {
  readonly startsAt: Date;
  readonly received: number;
  /** Those with a run that is failed now. */
  readonly failed: number;
  /** Those with a run that is dead now. */
  readonly dead: number;
}

const HOUR_MS = 60 * 60 * 1000;
const HOURS = 12;
const ACTIVITY_IS_FRESH_MS = 60_000;
// The page does not wait longer for its chart. The next one may find the numbers.
const ACTIVITY_TIMEOUT_MS = 3000;

/** Counts the events of the last hours, at most once a minute: counting them takes several queries. */
class Activity {
  #hours: Promise<readonly ActivityHour[]> = Promise.resolve([]);
  #readAt = Number.NEGATIVE_INFINITY;

  read(inbox: ScalekitInbox): Promise<readonly ActivityHour[]> {
    const now = Date.now();
    if (now - this.#readAt < ACTIVITY_IS_FRESH_MS) return this.#hours;
    this.#readAt = now;
    this.#hours = readHours(inbox, now);
    this.#hours.catch(() => {
      this.#readAt = Number.NEGATIVE_INFINITY;
    });
    return this.#hours;
  }
}

/** One hour after another, so that the handlers keep most of the inbox's connections. */
async function readHours(inbox: ScalekitInbox, now: number): Promise<readonly ActivityHour[]> {
  const current = Math.floor(now / HOUR_MS) * HOUR_MS;
  const first = current - (HOURS - 1) * HOUR_MS;
  const countIf = async (isAny: boolean, filter: ScalekitInboxFilter) => (isAny ? inbox.count(filter) : 0);
  const areAny = async (state: RunState) =>
    (await inbox.count({ receivedAfter: new Date(first), state })) > 0;
  const [areFailed, areDead] = [await areAny('failed'), await areAny('dead')];
  const hours: ActivityHour[] = [];
  for (let start = first; start <= current; start += HOUR_MS) {
    const startsAt = new Date(start);
    // The inbox's clock may be ahead.
    const end = start < current ? { receivedBefore: new Date(start + HOUR_MS) } : {};
    const within = { receivedAfter: startsAt, ...end };
    const received = await inbox.count(within);
    const failed = await countIf(areFailed, { ...within, state: 'failed' });
    const dead = await countIf(areDead, { ...within, state: 'dead' });
    hours.push({ startsAt, received, failed, dead });
  }
  return hours;
}

/** One endpoint, as the dashboard uses it. */
export interface DashboardEndpoint {
  readonly options: DispatchOptions;
  readonly inbox: ScalekitInbox;
  readonly handlerIds: readonly string[];
}

/** Finds the endpoints of the application, and remembers the last recovery of each. */
@ScalekitObserver()
@Injectable()
export class DashboardEndpoints implements ScalekitWebhooksObserver {
  readonly #modules: ModulesContainer;
  readonly #recoveries = new Map<string, NonNullable<EndpointSummary['recovery']>>();
  readonly #activities = new Map<string, Activity>();

  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    this.#modules = modules;
  }

  onRecovery({ endpoint, outcome, isDryRun, result, error }: ObservedRecovery): void {
    // The other process knows how it ended.
    if (isDryRun || outcome === 'in_progress') return;
    const text = result
      ? `done (${result.handled} handled, ${result.failed} failed)`
      : `failed (${error?.name}: ${error?.message})`;
    this.#recoveries.set(endpoint, { text, at: new Date() });
  }

  get all(): readonly DashboardEndpoint[] {
    return [...this.#modules.values()].flatMap(({ providers }) => {
      const options = providers.get(RESOLVED_OPTIONS)?.instance as DispatchOptions | undefined;
      if (!options) return [];
      // By its token, because the application may have loaded the other module format.
      const inbox = providers.get(getScalekitInboxToken(options.name))?.instance as ScalekitInbox;
      const handlers = providers.get(EndpointHandlers)?.instance as EndpointHandlers | undefined;
      return [{ options, inbox, handlerIds: handlers?.ids ?? [] }];
    });
  }

  find(name: string | undefined): DashboardEndpoint | undefined {
    return this.all.find(({ options }) => options.name === name);
  }

  async summaryOf(endpoint: DashboardEndpoint, states: readonly RunState[]): Promise<EndpointSummary> {
    const { options, inbox, handlerIds } = endpoint;
    const known = { name: options.name, handlerIds, recovery: this.#recoveries.get(options.name) };
    try {
      const canPause = options.transport.inboxWork !== undefined;
      const activityOf = this.#activities.get(options.name) ?? new Activity();
      this.#activities.set(options.name, activityOf);
      const [counts, isPaused, activity] = await inTime(
        Promise.all([
          inbox.stats(states),
          canPause ? inbox.isPaused() : undefined,
          inTime(activityOf.read(inbox), ACTIVITY_TIMEOUT_MS).catch(() => []),
        ]),
        INBOX_TIMEOUT_MS,
      );
      return { ...known, counts, isPaused, activity };
    } catch (error) {
      return { ...known, problem: `The inbox cannot be read. ${describe(error)}` };
    }
  }
}

/** An error as pages and log lines show it. */
export function describe(error: unknown): string {
  const { name, message: text } = toRunError(error);
  return `${name}: ${text}`;
}

const MESSAGES = {
  noGuards:
    'guards must be an array with at least one guard: anyone who can open the dashboard can run handlers again. ' +
    'Set guards: [AdminGuard], or unsafeWithoutGuard: true if something else protects the path, such as a global guard.',
  notAGuard: (found: unknown) =>
    `guards must contain guard classes, or objects with a canActivate() method; found ${describeValue(found)}.`,
} as const;
