import type { INestApplication } from '@nestjs/common';
import { describeValue, refuseSetting, requirePositiveInteger } from '../errors/settings.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import type { SimulatedAttempt } from './delivery-simulator.report.js';
import { type SimulatedSecret, SimulatedSecrets } from './delivery-simulator.secrets.js';

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
   * When an unacknowledged delivery is sent again: `guide` (6 attempts in 23 minutes), `extended` (8 attempts in 28
   * hours), or your own waits before each attempt, the first included, in milliseconds.
   * @default 'guide'
   */
  schedule?: DeliverySchedule;
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
  /** Called after each request, for example to show progress or to stop a process halfway. */
  onAttempt?: (attempt: SimulatedAttempt) => void;
}

/** One of Scalekit's retry schedules, or your own waits before each attempt, in milliseconds. */
export type DeliverySchedule = 'guide' | 'extended' | readonly number[];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The waits before each attempt of Scalekit's published schedules, in milliseconds. */
export const SCALEKIT_SCHEDULES = {
  /** 6 attempts in 23 minutes, as in the webhook guide. */
  guide: [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE],
  /** 8 attempts in 28 hours, as in the SCIM quickstart. */
  extended: [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR],
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
type OptionalSetting = 'urls' | 'app' | 'endpoint' | 'path' | 'secrets' | 'onAttempt';

const MESSAGES = {
  noTarget: 'The simulator does not know where to post to: pass app or urls.',
  noSecret: 'The simulator does not know the signing secret: pass secrets, or app instead of urls.',
  secretsWithGaps:
    'secrets must cover the whole simulation: at each share from 0 to 1, one of them must be in use.',
  timeScale: (found: unknown) => `timeScale must be a number greater than 0, found ${describeValue(found)}.`,
  schedule: "schedule must be 'guide', 'extended', or a list of waits in milliseconds, each 0 or more.",
} as const;

/** @throws ScalekitWebhooksConfigurationError when an option is invalid */
export function resolveSimulatorOptions(options: ScalekitDeliverySimulatorOptions): ResolvedSimulatorOptions {
  const resolved = {
    scheme: 'standard' as const,
    schedule: 'guide' as const,
    timeScale: 1,
    timeoutMs: 10_000,
    success: [200, 201, 202],
    concurrency: 10,
    duplicates: 1,
    reorder: false,
    seed: 1,
    ...options,
  };
  const { app, urls, secrets, schedule, timeScale } = resolved;
  if (!app && [urls ?? []].flat().length === 0) refuseSetting('urls', MESSAGES.noTarget);
  if (!app && secrets === undefined) refuseSetting('secrets', MESSAGES.noSecret);
  if (secrets !== undefined && !new SimulatedSecrets(secrets).areComplete) {
    refuseSetting('secrets', MESSAGES.secretsWithGaps);
  }
  for (const setting of ['timeoutMs', 'concurrency', 'duplicates'] as const) {
    requirePositiveInteger(setting, resolved[setting]);
  }
  if (!(timeScale > 0)) refuseSetting('timeScale', MESSAGES.timeScale(timeScale));
  if (!isSchedule(schedule)) refuseSetting('schedule', MESSAGES.schedule);
  return Object.freeze(resolved);
}

function isSchedule(schedule: DeliverySchedule): boolean {
  if (typeof schedule === 'string') return Object.hasOwn(SCALEKIT_SCHEDULES, schedule);
  return schedule.length > 0 && schedule.every((wait) => wait >= 0);
}
