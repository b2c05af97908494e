import type { INestApplication } from '@nestjs/common';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { MESSAGES } from '../scalekit-webhooks.messages.js';
import type { SignatureScheme } from '../verify/signature-headers.js';
import {
  type SimulatedAttempt,
  type SimulatedState,
  type SimulationReport,
  totalsOf,
} from './delivery-simulator.report.js';
import {
  type DeliverySchedule,
  planCopies,
  SCALEKIT_SCHEDULES,
  type SimulatedPayload,
  SimulationRun,
} from './delivery-simulator.run.js';
import { type SimulatedSecret, SimulatedSecrets } from './delivery-simulator.secrets.js';
import { TestedEndpoint } from './scalekit-webhook.tester.js';

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
  timeout?: number;
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
function resolveSimulatorOptions(options: ScalekitDeliverySimulatorOptions): ResolvedSimulatorOptions {
  const resolved = {
    scheme: 'standard' as const,
    schedule: 'guide' as const,
    timeScale: 1,
    timeout: 10_000,
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
  for (const setting of ['timeout', 'concurrency', 'duplicates'] as const) {
    if (!Number.isSafeInteger(resolved[setting]) || resolved[setting] <= 0) {
      refuse(setting, MESSAGES.notAPositiveInteger(setting, resolved[setting]));
    }
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

/**
 * Sends events as Scalekit does, to storm your own application in a test: at least once, several at a time, some of them
 * several times and out of order, on Scalekit's retry schedules, each retry signed afresh under another `webhook-id`.
 *
 * @example
 * ```ts
 * const scalekit = new ScalekitDeliverySimulator({ app, timeScale: 10_000, duplicates: 3, reorder: true });
 * const { totals } = await scalekit.send(events);
 * expect(totals.acknowledged).toBe(events.length);
 * ```
 */
export class ScalekitDeliverySimulator {
  readonly #options: ResolvedSimulatorOptions;

  /** @throws ScalekitWebhooksConfigurationError when an option cannot work */
  constructor(options: ScalekitDeliverySimulatorOptions) {
    this.#options = resolveSimulatorOptions(options);
  }

  /**
   * Sends the events until each of their copies is acknowledged or its attempts are spent.
   *
   * @param options.signal ends it early, once the requests under way are answered
   */
  async send(
    events: readonly SimulatedPayload[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<SimulationReport> {
    const options = this.#options;
    const { urls, secrets } = await this.#target();
    const copies = planCopies(events.length, options);
    const run = new SimulationRun({ options, urls, secrets, events, signal });
    await run.send(copies);

    const copiesOf = new Map<number, number>();
    for (const { index } of copies) copiesOf.set(index, (copiesOf.get(index) ?? 0) + 1);
    const simulated = events.map(({ id, type }, index) => {
      const attempts = run.attempts[index] ?? [];
      const state = stateOf(attempts, run.aborted.has(index));
      return { id, type, state, copies: copiesOf.get(index) ?? 0, attempts };
    });
    return { events: simulated, totals: totalsOf(simulated, run.elapsedMs) };
  }

  async #target(): Promise<{ urls: readonly string[]; secrets: SimulatedSecrets }> {
    const { app, endpoint, path, urls, secrets } = this.#options;
    if (!app) return { urls: [urls ?? []].flat(), secrets: new SimulatedSecrets(secrets ?? []) };
    const tested = new TestedEndpoint(app, endpoint);
    const url = await tested.url(path);
    return { urls: [url], secrets: new SimulatedSecrets(secrets ?? (await tested.secret())) };
  }
}

function stateOf(attempts: readonly SimulatedAttempt[], aborted: boolean): SimulatedState {
  if (attempts.some(({ acknowledged }) => acknowledged)) return 'acknowledged';
  return aborted ? 'aborted' : 'given_up';
}
