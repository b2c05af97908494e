import type { INestApplication } from '@nestjs/common';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { requirePositiveInteger } from '../errors/settings.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import type { SimulatedAttempt } from './delivery-simulator.report.js';

import { type SimulatedSecret, SimulatedSecrets } from './delivery-simulator.secrets.js';

/** Where a {@link ScalekitDeliverySimulator} delivers to, and how. */
export interface ScalekitDeliverySimulatorOptions {
  /** Where to post to. Several are the processes of one application, which take turns; retries too. */
  urls?: string | readonly string[];
  /** An application in this process, in place of `urls`. One that does not listen yet is made to. */
  app?: INestApplication;
  /**
   * The `name` of the endpoint of `app`.
   * @default 'default'
   */
  endpoint?: string;
  /**
   * The path to post to, for an endpoint of `app` whose path has parameters.
   * @default the endpoint's own, with the global prefix
   */
  path?: string;
  /**
   * The secret to sign with, or several for a rotation, each with the part of the simulation in which it is used:
   * `[{ secret: old, until: 0.6 }, { secret: fresh, from: 0.5 }]`.
   * @default the first of the endpoint's own, where `app` is given
   */
  secrets?: string | readonly SimulatedSecret[];
  /** @default 'standard' */
  scheme?: SignatureScheme;
  /**
   * When an unacknowledged delivery is sent again: `guide` 6 times within 23 minutes, `extended` 8 times within 28
   * hours, or your own waits before each attempt, in ms, the first included.
   * @default 'guide'
   */
  schedule?: DeliverySchedule;
  /**
   * How much faster than the clock the schedule runs; at 1000 a second of it takes a millisecond. Timestamps are those
   * of the real clock, since the application verifies them by its own.
   * @default 1
   */
  timeScale?: number;
  /**
   * How long an answer may take, in ms. It is not scaled, since the application works in real time.
   * @default 10000
   */
  timeoutMs?: number;
  /**
   * The statuses that acknowledge. One of Scalekit's pages counts 200 and 201 alone.
   * @default [200, 201, 202]
   */
  success?: readonly number[];
  /**
   * How many requests are under way at once.
   * @default 10
   */
  concurrency?: number;
  /**
   * Each event is sent 1 to so many times, whatever the answers are; each of these copies has its own retries.
   * @default 1
   */
  duplicates?: number;
  /**
   * Whether first deliveries come in random order. In any case retries come later than what follows them.
   * @default false
   */
  reorder?: boolean;
  /**
   * The same seed plans the same copies in the same order.
   * @default 1
   */
  seed?: number;
  /** Called after each attempt, for progress or to cause trouble at some point. */
  onAttempt?: (attempt: SimulatedAttempt) => void;
}

/** The options with their defaults. */
export type ResolvedSimulatorOptions = Readonly<
  Required<Omit<ScalekitDeliverySimulatorOptions, OptionalSetting>> &
    Pick<ScalekitDeliverySimulatorOptions, OptionalSetting>
>;
type OptionalSetting = 'urls' | 'app' | 'endpoint' | 'path' | 'secrets' | 'onAttempt';

const NO_TARGET = 'The simulator needs a target: give it urls, or app.';
const NO_SECRET = 'The simulator needs a secret to sign with: give it secrets, or app in place of urls.';
const SECRETS_WITH_GAPS =
  'secrets must cover the whole simulation: for each share from 0 to 1 one of them must be in use.';

/** @throws ScalekitWebhooksConfigurationError when one cannot work */
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
  if (!options.app && [options.urls ?? []].flat().length === 0) refuse('urls', NO_TARGET);
  if (!options.app && options.secrets === undefined) refuse('secrets', NO_SECRET);
  if (options.secrets !== undefined && !new SimulatedSecrets(options.secrets).areComplete) {
    refuse('secrets', SECRETS_WITH_GAPS);
  }
  for (const setting of ['timeoutMs', 'concurrency', 'duplicates'] as const) {
    requirePositiveInteger(setting, resolved[setting]);
  }
  if (!(resolved.timeScale > 0)) refuse('timeScale', `timeScale must be greater than 0.`);
  const { schedule } = resolved;
  if (typeof schedule === 'string' ? !Object.hasOwn(SCALEKIT_SCHEDULES, schedule) : !areWaits(schedule)) {
    refuse('schedule', 'schedule takes guide, extended, or a list of waits in ms.');
  }
  return Object.freeze(resolved);
}

function areWaits(waits: readonly number[]): boolean {
  return waits.length > 0 && waits.every((wait) => wait >= 0);
}

function refuse(setting: string, message: string): never {
  throw new ScalekitWebhooksConfigurationError(setting, message);
}

/** A retry schedule of Scalekit by its name, or waits of your own before each attempt, in ms. */
export type DeliverySchedule = 'guide' | 'extended' | readonly number[];

const SECOND = 1000;

const MINUTE = 60 * SECOND;

const HOUR = 60 * MINUTE;

/** The waits before each attempt of Scalekit's two published schedules, in ms. */
export const SCALEKIT_SCHEDULES = {
  /** 6 attempts within 23 minutes. */
  guide: [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE],
  /**
   * 8 attempts within 28 hours. Scalekit publishes no more than that: the waits are those that Svix publishes, which
   * have this number and this sum.
   */
  extended: [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR],
} as const satisfies Record<string, readonly number[]>;

/** The waits of a schedule on a compressed clock, in ms. */
export function waitsOf(schedule: DeliverySchedule, timeScale: number): readonly number[] {
  const waits: readonly number[] = typeof schedule === 'string' ? SCALEKIT_SCHEDULES[schedule] : schedule;
  return waits.map((wait) => wait / timeScale);
}
