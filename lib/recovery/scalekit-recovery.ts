import { randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { DeliveryLog, LogWriter } from '../dispatch/delivery.log.js';
import { type DispatchOptions, Drain, RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { toRunError } from '../dispatch/handler-failure.js';
import type { ObservedRecovery } from '../dispatch/observers.js';
import { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { waitAtMost } from '../dispatch/timeout.js';
import { ScalekitRecoveryError } from '../errors/errors.js';
import { checkOptions, describeValue, refuseSetting } from '../errors/settings.js';
import type { InboxLease } from '../inbox/inbox-store.js';
import { type InboxRecoveryStore, isRecoveryStore, type RecoveryStart } from '../inbox/inbox-work.js';
import { ScalekitInbox } from '../replay/scalekit-inbox.js';
import { EventsReader, interrupted, windowOf } from './events.reader.js';
import {
  RECOVER_CHECKS,
  type RecoverOptions,
  type RecoveryResult,
  type ResolvedRecoveryOptions,
} from './recovery.options.js';
import {
  describe,
  describeCounts,
  hasTypes,
  movesCheckpoint,
  type RecoveredEndpoint,
  RecoveryRun,
} from './recovery.run.js';

/** Injection tokens of one recovery's options, and of the name of its endpoint. */
export const RECOVERY_OPTIONS = Symbol.for('nestjs-scalekit-webhooks:recovery-options');
export const RECOVERY_ENDPOINT = Symbol.for('nestjs-scalekit-webhooks:recovery-endpoint');

/** If the process dies, another one can take over after this time. */
const LEASE_MS = 60_000;
// Two extensions may fail.
const EXTENSION_MS = LEASE_MS / 3;
const FIRST_RETRY_MS = 60_000;
/** How long a shutdown waits for a recovery. A handler in progress ends within its own limit, before that. */
const SHUTDOWN_MS = 5000;

/**
 * Recovers the events of one endpoint that never arrived, from Scalekit's Events API: it handles them oldest first and
 * through the same inbox, so that each handler still runs once per event. It does so on the schedule of
 * `ScalekitRecoveryModule`, and when you call {@link recover}.
 *
 * @example await recovery.recover({ since: new Date('2026-01-31'), dryRun: true });
 */
@Injectable()
export class ScalekitRecovery implements OnApplicationBootstrap {
  readonly #options: ResolvedRecoveryOptions;
  readonly #name: string;
  readonly #modules: ModulesContainer;
  readonly #log: LogWriter;
  readonly #closing = new AbortController();
  readonly #current = new Set<Promise<unknown>>();
  #timer?: NodeJS.Timeout;
  #failures = 0;
  /** When the last planned recovery ended, or the application started. */
  #recoveredAt?: number;

  constructor(
    @Inject(RECOVERY_OPTIONS) options: ResolvedRecoveryOptions,
    @Inject(RECOVERY_ENDPOINT) name: string,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(Drain) drain: Drain,
  ) {
    this.#options = options;
    this.#name = name;
    this.#modules = modules;
    this.#log = new LogWriter(`ScalekitWebhooks:${name}`);
    drain.add(() => this.#close());
  }

  /** @throws ScalekitWebhooksConfigurationError when the application has no such endpoint */
  onApplicationBootstrap(): void {
    const { inbox } = this.#endpoint().options;
    if (isRecoveryStore(inbox)) {
      this.#recoveredAt = Date.now();
      this.#planNext(this.#options.onStart ? 0 : this.#options.everyMs);
    } else this.#log.write('warn', MESSAGES.notScheduled(inbox.constructor.name));
  }

  /**
   * Reads events from the Events API, and handles those that never arrived, oldest first. Then it restarts the failed
   * runs in the inbox that nothing else retries anymore.
   *
   * A recovery without `since`, `until`, `eventTypes`, `organizationId` and `dryRun` reads from where the last one ended, and
   * moves that checkpoint once everything is done. If it does not finish, the next one reads the same events again.
   *
   * @returns how many events it read, and what happened to them
   * @throws ScalekitRecoveryError when another process is recovering, the API or the inbox fails for too long, or the
   *   application closes
   * @throws ScalekitWebhooksConfigurationError for an invalid option, or without `since` if the inbox is in memory
   */
  async recover(options: RecoverOptions = {}): Promise<RecoveryResult> {
    const given = checkOptions(options, RECOVER_CHECKS);
    const { since, until } = given;
    if (since && until && since >= until) refuseSetting('since', MESSAGES.sinceNotBeforeUntil);
    const endpoint = this.#endpoint();
    const { inbox } = endpoint.options;
    if (!isRecoveryStore(inbox)) {
      if (!since) refuseSetting('since', MESSAGES.sinceMissing(inbox.constructor.name));
      this.#log.write('warn', MESSAGES.duplicatesUnknown(inbox.constructor.name));
    }
    if (this.#closing.signal.aborted) throw interrupted();
    const recovering = isRecoveryStore(inbox)
      ? this.#recoverAlone(endpoint, inbox, given)
      : this.#recover(endpoint, given, {}, this.#closing.signal);
    this.#current.add(recovering);
    const startedAt = Date.now();
    const observe = (end: Pick<ObservedRecovery, 'outcome' | 'result' | 'error'>) => {
      const recovery = { endpoint: this.#name, isDryRun: given.dryRun ?? false, ...end };
      endpoint.log.observers?.tell('onRecovery', { ...recovery, durationMs: Date.now() - startedAt });
    };
    try {
      const result = await recovering;
      observe({ outcome: 'done', result: { ...result } });
      return result;
    } catch (error) {
      const isElsewhere = error instanceof ScalekitRecoveryError && error.code === 'in_progress';
      observe({ outcome: isElsewhere ? 'in_progress' : 'failed', error: toRunError(error) });
      throw error;
    } finally {
      this.#current.delete(recovering);
    }
  }

  /** Recovers while no other process does. The inbox remembers how far it has come. */
  async #recoverAlone(
    endpoint: RecoveredEndpoint,
    inbox: InboxRecoveryStore,
    given: RecoverOptions,
  ): Promise<RecoveryResult> {
    const lease = { token: randomUUID(), durationMs: LEASE_MS };
    const start = await inbox.beginRecovery(this.#name, lease);
    if (!start) throw new ScalekitRecoveryError('in_progress', MESSAGES.inProgress(this.#name));
    const lost = new AbortController();
    let heldUntil = Date.now() + LEASE_MS;
    const extend = async () => {
      const askedAt = Date.now();
      const held = await inbox.beginRecovery(this.#name, lease).catch(() => askedAt < heldUntil);
      if (!held) lost.abort();
      else if (held !== true) heldUntil = askedAt + LEASE_MS;
    };
    const extension = setInterval(() => void extend(), EXTENSION_MS);
    let checkpoint: Date | undefined;
    try {
      const signal = AbortSignal.any([lost.signal, this.#closing.signal]);
      const result = await this.#recover(endpoint, given, start, signal);
      if (signal.aborted) throw interrupted();
      if (movesCheckpoint(given) && hasTypes(this.#eventTypes(endpoint))) checkpoint = result.until;
      return result;
    } finally {
      clearInterval(extension);
      await this.#end(inbox, lease, checkpoint);
    }
  }

  async #end(inbox: InboxRecoveryStore, lease: InboxLease, checkpoint?: Date): Promise<void> {
    try {
      await inbox.endRecovery(this.#name, lease, checkpoint);
    } catch (error) {
      // The lease ends by itself. The checkpoint stays where it is, so the window is read again.
      this.#log.write('warn', MESSAGES.endFailed(describe(error)));
    }
  }

  async #recover(
    endpoint: RecoveredEndpoint,
    given: RecoverOptions,
    start: RecoveryStart,
    signal: AbortSignal,
  ): Promise<RecoveryResult> {
    await endpoint.handlers.loadMore();
    const window = windowOf(this.#options, given, start, (gap) => this.#log.write('warn', gap));
    const eventTypes = given.eventTypes ?? this.#eventTypes(endpoint);
    const run = new RecoveryRun(endpoint, this.#log, signal);
    if (!given.dryRun && given.organizationId === undefined) {
      const { abandonedAfterMs } = this.#options;
      const isWanted = ({ type }: { readonly type: string }) => given.eventTypes?.includes(type) ?? true;
      await run.restartAbandoned(isWanted, abandonedAfterMs, given.includeDead ?? false);
    }
    if (hasTypes(eventTypes) && window.from < window.until) {
      const reader = new EventsReader(
        this.#options.client,
        {
          ...(eventTypes && { eventTypes: [...eventTypes] }),
          ...(given.organizationId !== undefined && { organizationId: given.organizationId }),
        },
        signal,
      );
      for await (const events of reader.slices(window)) {
        for (const event of events) await (given.dryRun ? run.preview(event) : run.handle(event));
      }
    }
    const result = { ...run.counts, from: new Date(window.from), until: new Date(window.until) };
    this.#log.write('log', MESSAGES.recovered(result, given.dryRun ?? false));
    return result;
  }

  /** Undefined means all types: the API has no patterns. */
  #eventTypes({ handlers }: RecoveredEndpoint): readonly string[] | undefined {
    const patterns = handlers.registry.all.flatMap((handler) => handler.patterns);
    if (this.#options.eventTypes) return this.#options.eventTypes;
    return patterns.some((pattern) => pattern.endsWith('*')) ? undefined : [...new Set(patterns)];
  }

  #planNext(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#recoverAsPlanned(), ms);
    this.#timer.unref();
  }

  async #recoverAsPlanned(): Promise<void> {
    const { everyMs } = this.#options;
    try {
      await this.recover();
      this.#failures = 0;
      this.#recoveredAt = Date.now();
      this.#planNext(everyMs);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const code = error instanceof ScalekitRecoveryError ? error.code : undefined;
      if (code === 'in_progress') {
        this.#recoveredAt = Date.now();
        // If that process has died, its lease ends soon.
        this.#log.write('debug', describe(error));
        this.#planNext(Math.min(everyMs, LEASE_MS));
        return;
      }
      const retryMs = Math.min(everyMs, FIRST_RETRY_MS * 2 ** this.#failures);
      this.#failures += 1;
      this.#log.write('warn', MESSAGES.willRetry(describe(error), retryMs));
      this.#planNext(retryMs);
    }
  }

  /**
   * How long ago the last planned recovery ended, here or in another process, and how often there should be one. Undefined if
   * none is planned.
   *
   * @internal
   */
  get progress(): { readonly everyMs: number; readonly ageMs: number } | undefined {
    const { everyMs } = this.#options;
    return this.#recoveredAt === undefined ? undefined : { everyMs, ageMs: Date.now() - this.#recoveredAt };
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing.abort();
    await waitAtMost(Promise.allSettled([...this.#current]), SHUTDOWN_MS);
  }

  /** The providers of the endpoint with the name of this recovery: every endpoint is a module with its own. */
  #endpoint(): RecoveredEndpoint {
    for (const { providers } of this.#modules.values()) {
      const options = providers.get(RESOLVED_OPTIONS)?.instance as DispatchOptions | undefined;
      if (options?.name !== this.#name) continue;
      return {
        options,
        dispatcher: providers.get(ScalekitEventDispatcher)?.instance as ScalekitEventDispatcher,
        handlers: providers.get(EndpointHandlers)?.instance as EndpointHandlers,
        inbox: providers.get(ScalekitInbox)?.instance as ScalekitInbox,
        log: providers.get(DeliveryLog)?.instance as DeliveryLog,
      };
    }
    return refuseSetting('endpoint', MESSAGES.noEndpoint(this.#name));
  }
}

const MESSAGES = {
  noEndpoint: (name: string) =>
    `ScalekitRecoveryModule recovers the events of the endpoint ${describeValue(name)}, but the application has none with this name. Import ScalekitWebhooksModule, or set endpoint to its name.`,
  sinceNotBeforeUntil: 'since must be before until.',
  sinceMissing: (store: string) =>
    `${store} does not remember how far a recovery has come. Pass since, or use a PostgresInboxStore, a RedisInboxStore or a SqliteInboxStore.`,
  notScheduled: (store: string) =>
    `Missed events are not recovered on a schedule, because ${store} does not remember how far a recovery has come. Use a durable inbox, or call recover({ since }).`,
  duplicatesUnknown: (store: string) =>
    `Recovering into ${store}: events that were handled before the last restart are unknown to it, so their handlers run again.`,
  inProgress: (name: string) =>
    `Another process, or another call, is recovering the events of the endpoint ${describeValue(name)}. Try again in a minute.`,
  recovered: (result: RecoveryResult, isDry: boolean) =>
    `${isDry ? 'Would recover' : 'Recovered'} ${result.from.toISOString()} to ${result.until.toISOString()}: ${describeCounts(result)}`,
  willRetry: (reason: string, ms: number) =>
    `Missed events could not be recovered (${reason}). The next attempt is in ${Math.round(ms / 1000)} s`,
  endFailed: (reason: string) =>
    `The inbox could not record the end of the recovery (${reason}). The next recovery reads the same events again`,
} as const;
