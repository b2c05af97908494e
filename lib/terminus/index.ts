import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { LogWriter } from '../dispatch/delivery.log.js';
import { LogThrottle, reportFailure, toRunError } from '../dispatch/handler-failure.js';
import { TIMED_OUT, waitAtMost } from '../dispatch/timeout.js';
import {
  checkOptions,
  integerUpTo,
  type OptionChecks,
  optional,
  refuseSetting,
  requireDurationMs,
  requireText,
} from '../errors/settings.js';
import type { InboxRunCount } from '../inbox/inbox-queries.js';
import { requireEndpointName } from '../receive/receive.options.js';
import { getScalekitRecoveryToken } from '../recovery/recovery.module.js';
import type { ScalekitRecovery } from '../recovery/scalekit-recovery.js';
import type { ScalekitInbox } from '../replay/scalekit-inbox.js';
import { getScalekitInboxToken } from '../scalekit-webhooks.injection.js';

/** When an endpoint counts as unhealthy. All are optional. */
export interface ScalekitInboxHealthOptions {
  /**
   * The `name` of the endpoint.
   * @default 'default'
   */
  endpoint?: string;
  /**
   * How long the inbox may take to answer, in ms.
   * @default 2000
   */
  timeoutMs?: number;
  /**
   * The maximum age of the event of the oldest `queued` or `failed` run, in ms. The age counts from when the event was first
   * received, so while an old event is replayed, it exceeds this limit.
   * @default 3600000 (1 hour)
   */
  maxBacklogAgeMs?: number;
  /**
   * How many runs may be `dead`. A restart does not fix them, so by default the result contains their number, but they do not
   * make the endpoint unhealthy.
   * @default any number
   */
  maxDeadRuns?: number;
  /**
   * The maximum time since the worker of this process last looked for runs in the inbox, in ms. Only with `InboxTransport` or
   * `retryFailed`. Increase it if your `pollIntervalMs` is not much shorter.
   * @default 60000
   */
  maxWorkerSilenceMs?: number;
  /**
   * The maximum time since the last recovery ended, in ms. Only if `ScalekitRecoveryModule` recovers this endpoint.
   * @default three times its `everyMs`
   */
  maxRecoveryAgeMs?: number;
}

const CHECKS: OptionChecks<ScalekitInboxHealthOptions> = {
  endpoint: optional(requireEndpointName),
  timeoutMs: optional(requireDurationMs),
  maxBacklogAgeMs: optional(requireDurationMs),
  maxDeadRuns: optional((setting, value) => {
    if (value !== 0) integerUpTo(2 ** 31 - 1)(setting, value);
  }),
  maxWorkerSilenceMs: optional(requireDurationMs),
  maxRecoveryAgeMs: optional(requireDurationMs),
};

/** What the result contains besides the status. Values that do not apply to the endpoint are left out. */
export interface ScalekitInboxHealth extends Record<string, unknown> {
  /** How many runs are `queued` or `failed`. */
  readonly waiting?: number;
  /** How long ago the event of the oldest of them was received, in ms. */
  readonly backlogAgeMs?: number;
  /** How many runs are `dead`. */
  readonly dead?: number;
  /** How long ago the worker last looked for runs, in ms. */
  readonly workerSilenceMs?: number;
  /** How long ago the last recovery ended, in ms. */
  readonly recoveryAgeMs?: number;
  /** The thresholds that were exceeded. */
  readonly problems?: readonly string[];
}

/**
 * Tells `@nestjs/terminus` whether an endpoint works: whether its inbox answers, how long runs have waited, how many are
 * dead, whether the worker of this process is alive, and whether recovery is behind. Health checks are often
 * public, so the result has only numbers and settings. The log says why an inbox does not work.
 *
 * @example
 * ```ts
 * this.health.check([() => this.scalekit.isHealthy('scalekit', { maxDeadRuns: 10 })])
 * ```
 */
@Injectable()
export class ScalekitInboxHealthIndicator {
  readonly #health: HealthIndicatorService;
  readonly #modules: ModuleRef;
  readonly #log = new LogWriter('ScalekitWebhooks:health');
  readonly #throttle = new LogThrottle();

  constructor(
    @Inject(HealthIndicatorService) health: HealthIndicatorService,
    @Inject(ModuleRef) modules: ModuleRef,
  ) {
    this.#health = health;
    this.#modules = modules;
  }

  /**
   * @param key the key of the result in the response
   * @throws ScalekitWebhooksConfigurationError for an unknown or invalid option, or an endpoint that does not exist
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options: ScalekitInboxHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key, 'up' | 'down', ScalekitInboxHealth>> {
    requireText('key', key);
    const {
      endpoint = 'default',
      timeoutMs = 2000,
      maxBacklogAgeMs = 60 * 60_000,
      maxDeadRuns = Number.POSITIVE_INFINITY,
      maxWorkerSilenceMs = 60_000,
      maxRecoveryAgeMs,
    } = checkOptions(options, CHECKS);
    const inbox = this.#find<ScalekitInbox>(getScalekitInboxToken(endpoint));
    if (!inbox) return refuseSetting('endpoint', MESSAGES.noEndpoint(endpoint));
    const recovery = this.#find<ScalekitRecovery>(getScalekitRecoveryToken(endpoint));
    const { everyMs, ageMs: recoveryAgeMs } = recovery?.progress ?? {};
    const { workerSilenceMs } = inbox;
    const counts = await this.#countsOf(inbox, timeoutMs);
    const numbers = { ...(counts && backlogOf(counts)), workerSilenceMs, recoveryAgeMs };
    const { backlogAgeMs, dead } = numbers;
    const longestRecoveryAgeMs = maxRecoveryAgeMs ?? 3 * (everyMs ?? 0);
    const problems = [
      ...(counts ? [] : [MESSAGES.inboxFails]),
      ...exceeding('maxBacklogAgeMs', backlogAgeMs, maxBacklogAgeMs),
      ...exceeding('maxDeadRuns', dead, maxDeadRuns),
      ...exceeding('maxWorkerSilenceMs', workerSilenceMs, maxWorkerSilenceMs),
      ...exceeding('maxRecoveryAgeMs', recoveryAgeMs, longestRecoveryAgeMs),
    ];
    const session = this.#health.check(key);
    const known = Object.entries(numbers).filter(([, value]) => value !== undefined);
    const data: ScalekitInboxHealth = Object.fromEntries(known);
    return problems.length === 0 ? session.up(data) : session.down({ ...data, problems });
  }

  /** The runs that are waiting or dead, or undefined if the inbox cannot be used. */
  async #countsOf(inbox: ScalekitInbox, timeoutMs: number): Promise<readonly InboxRunCount[] | undefined> {
    try {
      const asked = Promise.all([inbox.stats(['queued', 'failed', 'dead']), inbox.ping()]);
      const answer = await waitAtMost(asked, timeoutMs);
      if (answer === TIMED_OUT) throw new Error(MESSAGES.tooSlow(timeoutMs));
      return answer[0];
    } catch (error) {
      const { name, message } = toRunError(error);
      this.#throttle.write(`${name}: ${message}`, (note) =>
        this.#log.write('warn', MESSAGES.inboxFails, { failure: reportFailure(error), note }),
      );
      return undefined;
    }
  }

  #find<Provided>(token: symbol): Provided | undefined {
    try {
      return this.#modules.get<Provided>(token, { strict: false });
    } catch {
      return undefined;
    }
  }
}

function backlogOf(counts: readonly InboxRunCount[]) {
  const waiting = counts.filter(({ state }) => state !== 'dead');
  const oldest = Math.min(...waiting.map(({ oldestReceivedAt }) => oldestReceivedAt.getTime()));
  return {
    waiting: total(waiting),
    // The clock of the store may be ahead.
    backlogAgeMs: waiting.length === 0 ? 0 : Math.max(0, Date.now() - oldest),
    dead: total(counts.filter(({ state }) => state === 'dead')),
  };
}

function total(counts: readonly InboxRunCount[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

function exceeding(setting: string, found: number | undefined, limit: number): readonly string[] {
  return found === undefined || found <= limit ? [] : [MESSAGES.exceeds(setting, found, limit)];
}

const MESSAGES = {
  noEndpoint: (name: string) =>
    `The application has no endpoint with the name "${name}". Import ScalekitWebhooksModule, or set endpoint to its name.`,
  inboxFails: 'The inbox cannot be used',
  tooSlow: (ms: number) => `the inbox did not answer within timeoutMs (${ms} ms)`,
  exceeds: (setting: string, found: number, limit: number) =>
    `${setting} is ${limit}, and the current value is ${found}`,
} as const;
