import { Inject, Injectable } from '@nestjs/common';
import { type DispatchOptions, RESOLVED_OPTIONS } from '../dispatch/dispatch.providers.js';
import { EndpointHandlers } from '../dispatch/endpoint.handlers.js';
import { toRunError } from '../dispatch/handler-failure.js';
import { requireWorkStore } from '../dispatch/inbox.runs.js';
import { type DispatchResult, ReceivedEvent } from '../dispatch/received-event.js';
import { ScalekitEventDispatcher } from '../dispatch/scalekit-event.dispatcher.js';
import { InboxReplayError } from '../errors/errors.js';
import {
  checkOptions,
  describeValue,
  listOf,
  refuseSetting,
  requireDate,
  requireText,
} from '../errors/settings.js';
import {
  type ErasureTarget,
  FILTER_CHECKS,
  type InboxEntry,
  type InboxFilter,
  type InboxKey,
  type InboxPage,
  type InboxPageRequest,
  type InboxRunCount,
  PAGE_CHECKS,
  type RunState,
} from '../inbox/inbox-queries.js';
import type { InboxWorkStore } from '../inbox/inbox-work.js';
import { DeliveryRefusedError } from '../respond/outcome.js';
import {
  countOwnRuns,
  eraseEntries,
  inTime,
  REPLAY_CHECKS,
  type ReplayCounts,
  type ReplayOptions,
  receivedBefore,
  replayAll,
  unknownEvent,
} from './stored-events.js';

const MESSAGES = {
  dismissalOfUnknownRun: (eventId: string, id: string) =>
    `The event ${describeValue(eventId)} has no run of a handler with the id ${describeValue(id)}.`,
  replayFailed: (eventId: string, name: string, message: string) =>
    `The replay of ${describeValue(eventId)} failed (${name}: ${message}). Nothing ran; try again.`,
  nothingToPause:
    'Only workers that take runs from the inbox can be paused, so use an InboxTransport. BullMQ has queue.pause().',
  replayOfUnknownHandler: (id: string) => `No handler of this endpoint has the id ${describeValue(id)}.`,
} as const;

/** Which entries of an endpoint to read or replay. An entry must meet every condition that is set. */
export type ScalekitInboxFilter = Omit<InboxFilter, 'endpoint'>;

// Within the timeouts that health checks usually have.
const PING_TIMEOUT_MS = 5000;

/**
 * The inbox of one endpoint: shows which events it received and what happened to their runs, and replays events. It sees
 * only the events of its own endpoint.
 *
 * @example await inbox.replay({ type: 'user.created', state: 'dead' });
 */
@Injectable()
export class ScalekitInbox {
  readonly #options: DispatchOptions;
  readonly #dispatcher: ScalekitEventDispatcher;
  readonly #handlers: EndpointHandlers;

  constructor(
    @Inject(RESOLVED_OPTIONS) options: DispatchOptions,
    @Inject(ScalekitEventDispatcher) dispatcher: ScalekitEventDispatcher,
    @Inject(EndpointHandlers) handlers: EndpointHandlers,
  ) {
    this.#options = options;
    this.#dispatcher = dispatcher;
    this.#handlers = handlers;
  }

  /**
   * A page of entries, oldest first. It never contains payloads.
   *
   * @throws ScalekitWebhooksConfigurationError for an invalid filter, limit or cursor
   */
  async list(filter: ScalekitInboxFilter = {}, page: InboxPageRequest = {}): Promise<InboxPage> {
    return this.#options.inbox.list(this.#own(filter), checkOptions(page, PAGE_CHECKS));
  }

  /** One entry with its runs, or undefined. */
  async get(eventId: string): Promise<InboxEntry | undefined> {
    requireText('eventId', eventId);
    return this.#options.inbox.get(this.#keyOf(eventId));
  }

  /**
   * How many entries match.
   *
   * @throws ScalekitWebhooksConfigurationError for an invalid filter
   */
  async count(filter: ScalekitInboxFilter = {}): Promise<number> {
    return this.#options.inbox.count(this.#own(filter));
  }

  /**
   * Handles a received event again, as if it were delivered again. It runs every handler that is not done, including dead
   * runs, or exactly the handlers named in `handlers`. A run in progress is left as it is. Rejects with the store's error
   * when the inbox cannot be reached.
   *
   * @returns what happened to each handler; a handler's error is in the result, not thrown
   * @throws InboxReplayError when the event is unknown, has no payload that can be read, or a named handler does not exist
   * @throws ScalekitWebhooksConfigurationError for an invalid option
   */
  replay(eventId: string, options?: ReplayOptions): Promise<DispatchResult>;
  /**
   * Replays the events that match, one after another, oldest first. Stops early if the application is closing.
   *
   * @returns how many events had which outcome
   * @throws InboxReplayError when a named handler does not exist, or none of the events has a payload
   * @throws ScalekitWebhooksConfigurationError for an invalid filter or option
   */
  replay(filter: ScalekitInboxFilter, options?: ReplayOptions): Promise<ReplayCounts>;
  async replay(
    which: string | ScalekitInboxFilter,
    options: ReplayOptions = {},
  ): Promise<DispatchResult | ReplayCounts> {
    const checked = checkOptions(options, REPLAY_CHECKS);
    if (typeof which === 'string') requireText('eventId', which);
    else checkOptions(which, FILTER_CHECKS);
    await this.#requireHandlers(checked.handlers);
    return typeof which === 'string'
      ? this.#replay(which, checked.handlers)
      : this.#replayAll(which, checked);
  }

  /**
   * Marks dead and failed runs of an event that need no replay as done, without running them. They keep their error. Runs in
   * any other state stay as they are.
   *
   * @param handlers the ids of the handlers whose runs to dismiss; by default all that are dead or failed
   * @returns the ids of the handlers whose runs were dismissed
   * @throws InboxReplayError when the event is unknown, or has no run of a named handler
   */
  async dismiss(eventId: string, handlers?: readonly string[]): Promise<readonly string[]> {
    requireText('eventId', eventId);
    if (handlers !== undefined) listOf(requireText)('handlers', handlers);
    const key = this.#keyOf(eventId);
    const entry = await this.#options.inbox.get(key);
    if (!entry) throw unknownEvent(key);
    const unknown = handlers?.find((id) => !entry.runs.some(({ handlerId }) => handlerId === id));
    if (unknown !== undefined) {
      throw new InboxReplayError('handler_unknown', MESSAGES.dismissalOfUnknownRun(eventId, unknown));
    }
    return this.#options.inbox.dismiss(key, handlers);
  }

  /**
   * The number of runs of each handler in each state, and when the oldest of their events was received.
   *
   * @param which the states of the runs to count, or a filter; by default all runs. Runs that are not done have an index, so
   *   leave out `done` if you call this often. With a filter on more than the state, it reads every entry that matches.
   * @throws ScalekitWebhooksConfigurationError when a state does not exist, or for an invalid filter
   */
  async stats(which?: readonly RunState[] | ScalekitInboxFilter): Promise<readonly InboxRunCount[]> {
    return countOwnRuns(this.#options, which);
  }

  /**
   * Resolves if the inbox can be used: it answers within 5 seconds, has its tables, and may write. It changes nothing.
   *
   * @throws InboxUnusableError with what to do about each problem, or any other error
   */
  async ping(): Promise<void> {
    await inTime(this.#options.inbox.ping(), PING_TIMEOUT_MS);
  }

  /**
   * Deletes the entries that were received before the given time, except those with a run in progress. It prunes the whole
   * store, including the entries of other endpoints that share it.
   *
   * @returns how many entries were deleted
   * @throws ScalekitWebhooksConfigurationError when `before` is not a valid Date
   */
  async prune(before: Date): Promise<number> {
    requireDate('before', before);
    return this.#options.inbox.prune(before);
  }

  /**
   * Erases personal data: the payloads and headers of all entries of an organization or an entity, and the messages of their
   * errors. The entries stay with their ids, states and times, so that a delivery of the same event is still a duplicate. It
   * does not find data inside events of other entities. It can be repeated, and does not keep deliveries waiting.
   *
   * @param target the id of an organization, or an entity as `scalekitEventEntity` writes it, such as `user:usr_1`
   * @returns how many entries were erased, not counting those that were erased before
   * @throws ScalekitWebhooksConfigurationError unless exactly one of the two is given, or if the inbox cannot erase
   */
  async erase(target: ErasureTarget): Promise<number> {
    return eraseEntries(this.#options, target);
  }

  /**
   * Replays an event that was delivered again with a request for it.
   *
   * @returns `done` and the outcome, or why the replay is not possible
   * @throws DeliveryRefusedError `unavailable` when the inbox cannot be reached
   * @internal
   */
  async replayReceived(
    received: ReceivedEvent,
    { handlers }: ReplayOptions,
  ): Promise<Pick<DispatchResult, 'outcome' | 'retryAfterSeconds'> & { end: string }> {
    const key = this.#keyOf(received.event.id);
    try {
      await this.#requireHandlers(handlers);
      if (!(await inTime(this.#options.inbox.get(key), this.#options.handlerTimeoutMs))) {
        throw unknownEvent(key);
      }
      const reopen = () => this.#options.inbox.reopen(key, handlers);
      // The command line has read it from the inbox.
      const stored = new ReceivedEvent(received, { ...received, isStored: true });
      return { end: 'done', ...(await this.#dispatcher.handleAgain(stored, reopen, handlers)) };
    } catch (error) {
      if (error instanceof InboxReplayError) return { end: error.code, outcome: 'unprocessable' };
      const { name, message } = toRunError(error);
      throw new DeliveryRefusedError('unavailable', MESSAGES.replayFailed(key.eventId, name, message));
    }
  }

  /** @throws InboxReplayError when one of the handlers does not exist */
  async #requireHandlers(handlers: readonly string[] | undefined): Promise<void> {
    await this.#handlers.loadMore();
    const unknown = handlers?.find((id) => !this.#handlers.ids.includes(id));
    if (unknown === undefined) return;
    throw new InboxReplayError('handler_unknown', MESSAGES.replayOfUnknownHandler(unknown));
  }

  /**
   * Stops the workers of this endpoint from taking runs, in all processes, until {@link resume} is called. A restart does not
   * change that. Deliveries are still stored and answered with 202, and attempts in progress finish. It takes effect when a
   * worker next looks for runs, within its `pollIntervalMs`.
   *
   * @throws ScalekitWebhooksConfigurationError without `InboxTransport` or `retryFailed`: there are no such workers
   */
  async pause(): Promise<void> {
    await this.#withWorkers().setPaused(this.#options.name, true);
  }

  /** Lets the workers of this endpoint take runs again. See {@link pause}. */
  async resume(): Promise<void> {
    await this.#withWorkers().setPaused(this.#options.name, false);
    this.#options.transport.inboxWork?.wake(this.#options.name);
  }

  /** Whether the workers of this endpoint are paused. See {@link pause}. */
  async isPaused(): Promise<boolean> {
    return this.#withWorkers().isPaused(this.#options.name);
  }

  /** How long ago the worker of this process took runs or found none, in ms. @internal */
  get workerSilenceMs(): number | undefined {
    return this.#options.transport.inboxWork?.silentForMs(this.#options.name);
  }

  /** The inbox, if workers take runs from it. */
  #withWorkers(): InboxWorkStore {
    const { transport, inbox } = this.#options;
    if (!transport.inboxWork) refuseSetting('transport', MESSAGES.nothingToPause);
    return requireWorkStore(inbox);
  }

  async #replay(eventId: string, handlers?: readonly string[]): Promise<DispatchResult> {
    const key = this.#keyOf(eventId);
    const { inbox, validation, handlerTimeoutMs } = this.#options;
    const received = await receivedBefore(inbox, key, validation, handlerTimeoutMs);
    return this.#dispatcher.handleAgain(received, () => inbox.reopen(key, handlers), handlers);
  }

  #replayAll(filter: ScalekitInboxFilter, options: ReplayOptions): Promise<ReplayCounts> {
    return replayAll({
      ...options,
      inbox: this.#options.inbox,
      filter: this.#own(filter),
      replay: (eventId) => this.#replay(eventId, options.handlers),
      isClosing: () => this.#dispatcher.isClosing,
    });
  }

  #keyOf(eventId: string): InboxKey {
    return { endpoint: this.#options.name, eventId };
  }

  #own(filter: ScalekitInboxFilter): InboxFilter {
    return Object.assign(checkOptions<ScalekitInboxFilter>(filter, FILTER_CHECKS), {
      endpoint: this.#options.name,
    });
  }
}
