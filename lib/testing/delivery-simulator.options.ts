import type { INestApplication } from '@nestjs/common';
import {
  checkOptions,
  describeValue,
  listOf,
  type OptionChecks,
  objectWith,
  oneOf,
  oneOrMore,
  optional,
  refuseSetting,
  requireBoolean,
  requireDate,
  requireDurationMs,
  requireFunction,
  requirePositiveInteger,
  requireText,
  withoutPrototype,
  withoutUndefined,
} from '../errors/settings.js';
import { SIGNATURE_SCHEMES, type SignatureScheme } from '../verify/signature-headers.js';
import {
  requirePath,
  requireSimulatedSecrets,
  type SimulatedSecret,
  SimulatedSecrets,
} from './tested-endpoint.js';

/** Options of {@link ScalekitDeliverySimulator}. */
export interface ScalekitDeliverySimulatorOptions {
  /** An application in this process. It is started if it is not listening yet. */
  app?: INestApplication;
  /**
   * Where to post to, instead of `app`. With several URLs, requests go to each in turn, as to several processes of one
   * application.
   */
  urls?: string | readonly string[];
  /**
   * The name of the endpoint of `app`.
   * @default 'default'
   */
  endpoint?: string;
  /**
   * The path of `app` to post to. Required if the endpoint's path has parameters.
   * @default the endpoint's own path, with the global prefix
   */
  path?: string;
  /**
   * The secret to sign with. For a rotation, pass several secrets, each with the share of the deliveries that are
   * signed with it: `[{ secret: old, until: 0.6 }, { secret: fresh, from: 0.5 }]`. Required with `urls`.
   * @default the endpoint's first secret
   */
  secrets?: string | readonly SimulatedSecret[];
  /**
   * How to sign: `standard` for the `webhook-*` headers, `scalekit` for `scalekit-signature`.
   * @default 'standard'
   */
  scheme?: SignatureScheme;
  /**
   * When an unacknowledged delivery is sent again: one of {@link SCALEKIT_SCHEDULES} (`guide`, `guide-short`, `dashboard`,
   * `scim`), or your own waits before each attempt, the first included, in milliseconds.
   * @default 'guide'
   */
  schedule?: DeliverySchedule;
  /**
   * A period in which nothing reaches the application. With it, an event is due at its `occurred_at`, and again after each wait
   * of the schedule. An attempt that is due during the outage gets the status `outage` without a request. If all of an
   * event's attempts are, it is given up.
   * @default none
   */
  outage?: {
    /** The first moment of the outage. */
    readonly from: Date;
    /** The moment from which requests arrive again. */
    readonly until: Date;
  };
  /**
   * How much faster than real time the schedule runs. At 1000, a second takes a millisecond. Signatures carry the real
   * time, because the application checks them against its own clock.
   * @default 1
   */
  timeScale?: number;
  /**
   * How long to wait for a response, in real milliseconds.
   * @default 10000
   */
  timeoutMs?: number;
  /**
   * The statuses that acknowledge a delivery. One page of Scalekit's documentation counts only 200 and 201.
   * @default [200, 201, 202]
   */
  success?: readonly number[];
  /**
   * How many requests are sent at the same time.
   * @default 10
   */
  concurrency?: number;
  /**
   * The maximum number of copies of an event. Each event is sent between 1 and this many times, even if the first copy is
   * acknowledged. Each copy has its own retries.
   * @default 1
   */
  duplicates?: number;
  /**
   * Whether first deliveries are sent in random order.
   * @default false
   */
  reorder?: boolean;
  /**
   * The same seed plans the same copies in the same order.
   * @default 1
   */
  seed?: number;
  /** Called after each attempt, for example to show progress or to stop a process halfway. */
  onAttempt?: (attempt: SimulatedAttempt) => void;
}

/** One attempt: a request, or one that an outage kept from being sent. */
export interface SimulatedAttempt {
  readonly eventId: string;
  /** Which copy of the event it carried, from 1. */
  readonly copy: number;
  /** Which attempt to deliver this copy it was, from 1. */
  readonly attempt: number;
  readonly url: string;
  readonly status: SimulatedStatus;
  /** When it was sent, in milliseconds from the start of the simulation. */
  readonly sentAt: number;
  readonly durationMs: number;
  readonly acknowledged: boolean;
}

/**
 * How a request ended: the HTTP status of the response, no complete response in time, no connection, or never sent because of
 * the `outage` option.
 */
export type SimulatedStatus = number | 'timeout' | 'unreachable' | 'outage';

/** One of Scalekit's retry schedules, or your own waits before each attempt, in milliseconds. */
export type DeliverySchedule = keyof typeof SCALEKIT_SCHEDULES | readonly number[];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits before each attempt, in milliseconds, of the four schedules that Scalekit's pages name. They contradict each other. */
export const SCALEKIT_SCHEDULES = {
  /** 6 attempts in 23 minutes: the table of the webhook guide. */
  guide: [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE],
  /** 4 attempts in 3 minutes: the same guide's "up to 3 times". It states no waits, so these are the first of its table. */
  'guide-short': [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE],
  /** 4 attempts in 21 minutes: the page about the dashboard's log. */
  dashboard: [0, MINUTE, 5 * MINUTE, 15 * MINUTE],
  /** 8 attempts in 28 hours: the SCIM quickstart. */
  scim: [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR],
} as const satisfies Record<string, readonly number[]>;

/** The waits of a schedule after `timeScale` is applied, in milliseconds. */
export function waitsOf(schedule: DeliverySchedule, timeScale: number): readonly number[] {
  const waits: readonly number[] = typeof schedule === 'string' ? SCALEKIT_SCHEDULES[schedule] : schedule;
  return waits.map((wait) => wait / timeScale);
}

/** The options with their defaults. */
export type ResolvedSimulatorOptions = Readonly<
  Required<Omit<ScalekitDeliverySimulatorOptions, OptionalSetting>> &
    Pick<ScalekitDeliverySimulatorOptions, OptionalSetting>
>;
type OptionalSetting = 'urls' | 'app' | 'endpoint' | 'path' | 'secrets' | 'outage' | 'onAttempt';

const MESSAGES = {
  noTarget: 'The simulator does not know where to post to: pass app or urls.',
  noSecret: 'The simulator does not know the signing secret: pass secrets, or app instead of urls.',
  secretsWithGaps:
    'secrets must cover the whole simulation: at each share from 0 to 1, one of them must be in use.',
  timeScale: (found: unknown) =>
    `timeScale must be a finite number greater than 0, found ${describeValue(found)}.`,
  schedule: `schedule must be ${Object.keys(SCALEKIT_SCHEDULES).join(', ')}, or a list of waits in milliseconds, each 0 or more and less than 2^31 after timeScale is applied.`,
  outage: (from: Date, until: Date) =>
    `outage.from must be before outage.until, found ${from.toISOString()} and ${until.toISOString()}.`,
  url: (setting: string, found: unknown) =>
    `${setting} must be an http or https URL, or a list of them, found ${describeValue(found)}.`,
  status: (setting: string, found: unknown) =>
    `${setting} must be a list of HTTP statuses from 100 to 599, found ${describeValue(found)}.`,
  seed: (found: unknown) => `seed must be a whole number, found ${describeValue(found)}.`,
} as const;

// Timers are limited to it.
const LONGEST_WAIT_MS = 2 ** 31 - 1;

const OUTAGE_CHECKS: OptionChecks<NonNullable<ScalekitDeliverySimulatorOptions['outage']>> = {
  from: requireDate,
  until: requireDate,
};

const CHECKS: OptionChecks<ScalekitDeliverySimulatorOptions> = {
  app: optional(objectWith('getHttpServer')),
  urls: optional(oneOrMore(requireUrl)),
  endpoint: optional(requireText),
  path: optional(requirePath),
  secrets: optional(requireSimulatedSecrets),
  scheme: optional(oneOf(SIGNATURE_SCHEMES)),
  schedule: optional(requireSchedule),
  outage: optional(requireOutage),
  timeScale: optional(requireTimeScale),
  timeoutMs: optional(requireDurationMs),
  success: optional(listOf(requireStatus)),
  concurrency: optional(requirePositiveInteger),
  duplicates: optional(requirePositiveInteger),
  reorder: optional(requireBoolean),
  seed: optional(requireSeed),
  onAttempt: optional(requireFunction),
};

/** @throws ScalekitWebhooksConfigurationError when an option is unknown or invalid */
export function resolveSimulatorOptions(options: ScalekitDeliverySimulatorOptions): ResolvedSimulatorOptions {
  const given = checkOptions(options, CHECKS);
  const resolved = withoutPrototype({
    scheme: 'standard' as const,
    schedule: 'guide' as const,
    timeScale: 1,
    timeoutMs: 10_000,
    success: [200, 201, 202],
    concurrency: 10,
    duplicates: 1,
    reorder: false,
    seed: 1,
    ...withoutUndefined(given),
  });
  const { app, urls, secrets, schedule, timeScale } = resolved;
  if (!app && urls === undefined) refuseSetting('urls', MESSAGES.noTarget);
  if (!app && secrets === undefined) refuseSetting('secrets', MESSAGES.noSecret);
  if (secrets !== undefined && !new SimulatedSecrets(secrets).areComplete) {
    refuseSetting('secrets', MESSAGES.secretsWithGaps);
  }
  const longest = Math.max(...waitsOf(schedule, timeScale));
  if (longest > LONGEST_WAIT_MS) refuseSetting('schedule', MESSAGES.schedule);
  return Object.freeze(resolved);
}

function requireUrl(setting: string, value: unknown): void {
  if (typeof value !== 'string' || !/^https?:\/\//.test(value) || !URL.canParse(value)) {
    refuseSetting(setting, MESSAGES.url(setting, value));
  }
}

function requireSchedule(setting: string, value: unknown): void {
  const isSchedule = Array.isArray(value)
    ? value.length > 0 && value.every((wait) => Number.isFinite(wait) && wait >= 0)
    : typeof value === 'string' && Object.hasOwn(SCALEKIT_SCHEDULES, value);
  if (!isSchedule) refuseSetting(setting, MESSAGES.schedule);
}

function requireOutage(setting: string, value: unknown): void {
  const { from, until } = checkOptions(value, OUTAGE_CHECKS, setting);
  if (from >= until) refuseSetting(`${setting}.from`, MESSAGES.outage(from, until));
}

function requireTimeScale(setting: string, value: unknown): void {
  if (!Number.isFinite(value) || Number(value) <= 0) refuseSetting(setting, MESSAGES.timeScale(value));
}

function requireStatus(setting: string, value: unknown): void {
  const isStatus = Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599;
  if (!isStatus) refuseSetting(setting, MESSAGES.status(setting, value));
}

function requireSeed(setting: string, value: unknown): void {
  if (!Number.isSafeInteger(value)) refuseSetting(setting, MESSAGES.seed(value));
}
