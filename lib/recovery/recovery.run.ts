import type { DeliveryLog, LogWriter } from '../dispatch/delivery.log.js';
import type { DispatchOptions } from '../dispatch/dispatch.providers.js';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { toRunError } from '../dispatch/handler-failure.js';
import type { DispatchResult } from '../dispatch/received-event.js';
import type { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { backoffMs } from '../dispatch/timeout.js';
import { InboxReplayError, InvalidEventError, ScalekitRecoveryError } from '../errors/errors.js';
import type { InboxEntry, InboxRun, RunState } from '../inbox/inbox-queries.js';
import { parseEvent } from '../parse/parse-event.js';
import type { ScalekitInbox } from '../replay/scalekit-inbox.js';
import { inboxEntries, receivedBefore } from '../replay/stored-events.js';
import { interrupted, MAX_FAILURES, pause, RETRY_BACKOFF, type ReadEvent } from './events.reader.js';
import type { RecoverOptions, RecoveryResult } from './recovery.options.js';

/** The endpoint whose events are recovered. */
export interface RecoveredEndpoint {
  readonly options: DispatchOptions;
  readonly dispatcher: ScalekitEventDispatcher;
  readonly handlers: EndpointHandlers;
  readonly inbox: ScalekitInbox;
  readonly log: DeliveryLog;
}

/** How events of the Events API are counted. */
type Count = 'handled' | 'duplicates' | 'ignored' | 'failed';
export type RecoveryCounts = { read: number; restarted: number } & Record<Count, number>;

const COUNTED_AS = {
  processed: 'handled',
  accepted: 'handled',
  duplicate: 'duplicates',
  dead: 'duplicates',
  ignored: 'ignored',
  unprocessable: 'failed',
  failed: 'failed',
} as const satisfies Record<Exclude<DispatchResult['outcome'], 'unavailable'>, Count>;

const PROGRESS_EVERY = 1000;
/** How long to wait for a run of another process. */
const LONGEST_RUN_MS = 5 * 60_000;
const RUN_POLL_MS = 1000;

/** Handles recovered events, one after another, and counts them. */
export class RecoveryRun {
  readonly counts: RecoveryCounts = {
    read: 0,
    handled: 0,
    duplicates: 0,
    ignored: 0,
    failed: 0,
    restarted: 0,
  };

  constructor(
    private readonly endpoint: RecoveredEndpoint,
    private readonly log: Pick<LogWriter, 'write'>,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws ScalekitRecoveryError when the inbox cannot store the event, or the signal is aborted */
  async handle(event: ReadEvent): Promise<void> {
    await this.#count(event, () => this.#dispatch(event));
  }

  /** Counts an event as {@link handle} would, but runs nothing. */
  async preview(event: ReadEvent): Promise<void> {
    await this.#count(event, async () => {
      const { options, handlers, inbox } = this.endpoint;
      const parsed = parseEvent(Buffer.from(JSON.stringify(event)), options.validation).event;
      if (handlers.registry.matching(parsed.type).length === 0) return 'ignored';
      return (await inbox.get(parsed.id)) ? 'duplicates' : 'handled';
    });
  }

  /**
   * Restarts runs in the inbox that nothing else retries anymore: those that failed, and those of a process that
   * died.
   *
   * @param isWanted which entries
   * @param abandonedAfterMs how long ago their last attempt began or ended, at least
   */
  async restartAbandoned(
    isWanted: (entry: InboxEntry) => boolean,
    abandonedAfterMs: number,
    includeDead: boolean,
  ): Promise<void> {
    const { options, inbox, handlers } = this.endpoint;
    const latest = Date.now() - abandonedAfterMs;
    const isAbandoned = (state: RunState) => (run: InboxRun) =>
      run.state === state &&
      (state === 'dead' || run.updatedAt.getTime() < latest) &&
      handlers.registry.ids.includes(run.handlerId);
    for (const state of ['failed', 'running', ...(includeDead ? (['dead'] as const) : [])] as const) {
      const limit = await inbox.count({ state });
      for await (const entry of inboxEntries(options.inbox, { endpoint: options.name, state }, limit)) {
        if (!isWanted(entry) || !entry.runs.some(isAbandoned(state))) continue;
        if (this.signal.aborted) throw interrupted();
        if (await this.#restart(entry, state === 'dead')) this.counts.restarted += 1;
      }
    }
  }

  async #count(event: ReadEvent, handle: () => Promise<Count>): Promise<void> {
    if (this.signal.aborted) throw interrupted();
    const counted = await handle().catch((error) => this.#refused(event, error));
    const { counts } = this;
    counts[counted] += 1;
    counts.read += 1;
    if (counts.read % PROGRESS_EVERY === 0) {
      this.log.write('log', MESSAGES.progress(counts, String(event.occurred_at)), {});
    }
  }

  async #dispatch(event: ReadEvent): Promise<Count> {
    const givesUpAt = Date.now() + LONGEST_RUN_MS;
    for (let failures = 0; ; ) {
      const { outcome, handlers } = await this.endpoint.dispatcher.dispatch(event);
      if (outcome !== 'unavailable') return COUNTED_AS[outcome];
      if (this.signal.aborted || this.endpoint.dispatcher.isClosing) throw interrupted();
      const states = handlers.map(({ state }) => state);
      // In both cases, the inbox has the event.
      if (states.includes('overdue')) return 'failed';
      if (states.includes('running')) {
        // By another process, which may have died: then the run can be taken over when its lease has ended.
        if (Date.now() >= givesUpAt) return 'failed';
        await pause(RUN_POLL_MS, this.signal);
        continue;
      }
      failures += 1;
      if (failures === MAX_FAILURES) {
        throw new ScalekitRecoveryError('inbox_failed', MESSAGES.notAccepted(String(event.id)));
      }
      await pause(backoffMs(RETRY_BACKOFF, failures), this.signal);
    }
  }

  /** Reports an event that can never be handled, so that the others can. */
  #refused({ id, type }: ReadEvent, error: unknown): Count {
    if (!(error instanceof InvalidEventError)) throw error;
    this.log.write('warn', MESSAGES.refused(String(id), String(type), error.message), {});
    return 'failed';
  }

  /** A delivery of the event: it runs the handlers that failed, and of those that are done or dead, none. */
  async #restart({ eventId, endpoint }: InboxEntry, isDead: boolean): Promise<boolean> {
    const { options, dispatcher, inbox } = this.endpoint;
    const { validation, handlerTimeoutMs } = options;
    try {
      if (isDead) await inbox.replay(eventId);
      else {
        const key = { endpoint, eventId };
        await dispatcher.handle(await receivedBefore(options.inbox, key, validation, handlerTimeoutMs));
      }
      return true;
    } catch (error) {
      // It was deleted since it was listed, or the inbox does not have its payload, or cannot read it.
      if (!(error instanceof InboxReplayError)) throw error;
      if (error.code === 'payload_unreadable') this.log.write('warn', error.message, {});
      return false;
    }
  }
}

/** Whether a recovery reads everything, so that the next one can begin where it ends. */
export function movesCheckpoint({
  since,
  until,
  eventTypes,
  organizationId,
  dryRun,
}: RecoverOptions): boolean {
  return !since && !until && !eventTypes && organizationId === undefined && !dryRun;
}

/** Without handlers there are no types, and the API would take that for all of them. */
export function hasTypes(eventTypes: readonly string[] | undefined): boolean {
  return eventTypes?.length !== 0;
}

export function describe(error: unknown): string {
  const { name, message } = toRunError(error);
  return `${name}: ${message}`;
}

/** The counts in one line. */
export function describeCounts({
  read,
  handled,
  duplicates,
  ignored,
  failed,
  restarted,
}: RecoveryCounts | RecoveryResult): string {
  return `read ${read}, handled ${handled}, duplicates ${duplicates}, ignored ${ignored}, failed ${failed}, restarted ${restarted}`;
}

const MESSAGES = {
  progress: (counts: RecoveryCounts, time: string) => `Recovering: ${describeCounts(counts)}; at ${time} now`,
  refused: (id: string, type: string, reason: string) =>
    `The Events API returned ${id} (${type}), which was skipped. ${reason}`,
  notAccepted: (id: string) =>
    `The inbox could not store ${id}, or one of its handlers cannot run; the log says why. Nothing is lost: the next recovery reads the same events again.`,
} as const;
