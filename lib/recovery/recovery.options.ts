import {
  checkOptions,
  describeValue,
  listOf,
  type OptionChecks,
  optional,
  refuseSetting,
  requireBoolean,
  requireDate,
  requireDurationMs,
  requireRetentionMs,
  requireText,
  withoutPrototype,
  withoutUndefined,
} from '../errors/settings.js';

/** The part of the Scalekit SDK's client that a recovery uses. `ScalekitClient` fits as it is. */
export interface ScalekitEventsClient {
  readonly events: {
    /** Lists events, newest first. */
    listEventsPaginated(
      pageSize?: number,
      pageToken?: string,
      filter?: ScalekitEventsFilter,
    ): Promise<ScalekitEventsPage>;
  };
}

/** Which events to list. */
export interface ScalekitEventsFilter {
  eventTypes?: string[];
  organizationId?: string;
  startTime?: { seconds: bigint; nanos: number };
  endTime?: { seconds: bigint; nanos: number };
}

/** A page of events. */
export interface ScalekitEventsPage {
  readonly events: readonly object[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** Options of {@link ScalekitRecoveryModule}. */
export interface ScalekitRecoveryOptions {
  /** The client of Scalekit's SDK: `new ScalekitClient(environmentUrl, clientId, clientSecret)`. */
  client: ScalekitEventsClient;
  /**
   * How often to recover, in milliseconds. A recovery that fails is tried again sooner: after one minute, then after two,
   * and so on.
   * @default 3600000 (1 hour)
   */
  everyMs?: number;
  /**
   * How far a recovery reads back beyond the end of the last one, in milliseconds: for events that became visible late, and
   * for clocks that are off. Events that were handled before are recognized.
   * @default 600000 (10 minutes)
   */
  overlapMs?: number;
  /**
   * A recovery reads only events that are older than this, in milliseconds. Scalekit may still be delivering newer ones.
   * @default 120000 (2 minutes)
   */
  settleMs?: number;
  /**
   * How far back a recovery reads at most, in milliseconds, and how far back the first one reads. Keep it shorter than the
   * `retentionMs` of the inbox: an event that the inbox has deleted would run again.
   * @default 2505600000 (29 days)
   */
  maxLookBackMs?: number;
  /**
   * How long after its last attempt a recovery starts a failed run again, in milliseconds. Scalekit's longest retry
   * schedule takes 28 hours.
   * @default 100800000 (28 hours)
   */
  abandonedAfterMs?: number;
  /**
   * The event types to recover.
   * @default those of the endpoint's handlers
   */
  eventTypes?: readonly string[];
  /**
   * Whether to recover when the application has started. It does not delay the start.
   * @default true
   */
  onStart?: boolean;
}

/** The options of {@link ScalekitRecoveryModule} that go next to the factory of `forRootAsync`. */
export interface ScalekitRecoveryEndpointOptions {
  /**
   * The `name` of the endpoint whose events to recover.
   * @default 'default'
   */
  endpoint?: string;
}

/** What `recover` reads. */
export interface RecoverOptions {
  /** The start of the window. By default, the time at which the last recovery ended, minus the `overlapMs` option. */
  readonly since?: Date;
  /** The end of the window. By default, `settleMs` ago. */
  readonly until?: Date;
  /** Only these event types. By default, those of the module's `eventTypes` option. */
  readonly eventTypes?: readonly string[];
  /** Only events of this organization. */
  readonly organizationId?: string;
  /**
   * Whether to only count what would be recovered.
   * @default false
   */
  readonly dryRun?: boolean;
  /**
   * Whether to also start dead runs of the inbox again.
   * @default false
   */
  readonly includeDead?: boolean;
}

/** What a recovery did. */
export interface RecoveryResult {
  /** How many events it read from the Events API. Each of them counts in one of the next four numbers. */
  readonly read: number;
  /** Events that were missing: their handlers succeeded, or workers have their runs. */
  readonly handled: number;
  /** Events that the inbox had handled, or that another process is handling. */
  readonly duplicates: number;
  /** Events without a handler. */
  readonly ignored: number;
  /** Events with a handler that failed, which the inbox has now, and events that are invalid. The log has the reasons. */
  readonly failed: number;
  /** Events of the inbox whose failed runs were started again. They were not read from the Events API. */
  readonly restarted: number;
  readonly from: Date;
  readonly until: Date;
}

const CHECKS: OptionChecks<ScalekitRecoveryOptions> = {
  client: requireEventsClient,
  everyMs: optional(requireDurationMs),
  overlapMs: optional(requireDurationMs),
  settleMs: optional(requireDurationMs),
  maxLookBackMs: optional(requireRetentionMs),
  abandonedAfterMs: optional(requireRetentionMs),
  eventTypes: optional(listOf(requireText)),
  onStart: optional(requireBoolean),
};

export const ENDPOINT_CHECKS: OptionChecks<ScalekitRecoveryEndpointOptions> = {
  endpoint: optional(requireText),
};

export const RECOVER_CHECKS: OptionChecks<RecoverOptions> = {
  since: optional(requireDate),
  until: optional(requireDate),
  eventTypes: optional(listOf(requireText)),
  organizationId: optional(requireText),
  dryRun: optional(requireBoolean),
  includeDead: optional(requireBoolean),
};

/** The options with their defaults. */
export type ResolvedRecoveryOptions = Readonly<
  Required<Omit<ScalekitRecoveryOptions, 'eventTypes'>> & Pick<ScalekitRecoveryOptions, 'eventTypes'>
>;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
export function resolveRecoveryOptions(options: ScalekitRecoveryOptions): ResolvedRecoveryOptions {
  return withoutPrototype({
    everyMs: HOUR,
    overlapMs: 10 * MINUTE,
    settleMs: 2 * MINUTE,
    maxLookBackMs: 29 * 24 * HOUR,
    abandonedAfterMs: 28 * HOUR,
    onStart: true,
    ...withoutUndefined(checkOptions(options, CHECKS)),
  });
}

function requireEventsClient(setting: string, value: unknown): void {
  const events: unknown = Reflect.get(Object(value), 'events');
  if (typeof Reflect.get(Object(events), 'listEventsPaginated') === 'function') return;
  refuseSetting(
    setting,
    `${setting} must be a ScalekitClient of @scalekit-sdk/node 2.11 or later, or an object with events.listEventsPaginated(); found ${describeValue(value)}.`,
  );
}
