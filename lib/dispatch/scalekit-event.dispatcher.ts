import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { InvalidEventError, ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { RunState } from '../inbox/inbox-queries.js';
import { MemoryInboxStore } from '../inbox/memory-inbox.store.js';
import { parseEvent } from '../parse/parse-event.js';
import { isJsonObject } from '../parse/validate-event.js';
import { toWebhookEvent } from '../parse/webhook-event.js';
import { isAcknowledged } from '../respond/outcome.js';
import { DeliveryLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import { type DispatchOptions, Drain, RESOLVED_OPTIONS } from './dispatch.providers.js';
import { EndpointHandlers } from './endpoint.handlers.js';
import type { QueuedRunner } from './event-transport.js';
import { InboxRuns } from './inbox.runs.js';
import { observedEvent } from './observers.js';
import { type DispatchResult, ReceivedEvent } from './received-event.js';
import { RunEngine } from './run.engine.js';
import { transportEndpoint } from './run.inbox.js';
import { TIMED_OUT, waitAtMost } from './timeout.js';

// How often a slow shutdown logs what it is waiting for.
const SHUTDOWN_REPORT_MS = 2000;
const UNAVAILABLE: DispatchResult = Object.freeze({ outcome: 'unavailable', handlers: [] });

/**
 * Passes events to their handlers, each handler once per event. The module's controller uses it for deliveries. Inject
 * it to handle an event that did not arrive by HTTP, such as one read from Scalekit's Events API.
 */
@Injectable()
export class ScalekitEventDispatcher implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #flights = new SingleFlight();
  #engine?: RunEngine;
  /** Set if workers take runs from the inbox. */
  #runs?: InboxRuns;
  #finished?: Promise<void>;

  readonly #options: DispatchOptions;
  readonly #handlers: EndpointHandlers;
  readonly #log: DeliveryLog;
  readonly #modules: ModulesContainer;

  constructor(
    @Inject(RESOLVED_OPTIONS) options: DispatchOptions,
    @Inject(EndpointHandlers) handlers: EndpointHandlers,
    @Inject(DeliveryLog) log: DeliveryLog,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(Drain) drain: Drain,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#log = log;
    this.#modules = modules;
    drain.add(() => this.onModuleDestroy());
  }

  /** @throws ScalekitWebhooksConfigurationError when the configuration cannot work in this process */
  async onModuleInit(): Promise<void> {
    await this.#handlers.load();
    const { registry } = this.#handlers;
    const { name: endpoint, ...options } = this.#options;
    if (options.transport.spansProcesses && registry.all.length === 0) {
      throw new ScalekitWebhooksConfigurationError('transport', MESSAGES.queueWithoutHandlers(endpoint));
    }
    options.inbox.onWarning?.((warning, cause) => this.#log.inboxWarning(warning, cause));
    const log = this.#log;
    this.#engine = new RunEngine(registry, { endpoint, ...options, log });
    if (!options.transport.inboxWork) return;
    const findHandlers = () => this.#handlers.loadMore();
    this.#runs = new InboxRuns(registry, { endpoint, ...options, log, findHandlers });
    if (options.inbox instanceof MemoryInboxStore) this.#log.inboxWarning(MESSAGES.workInMemory);
  }

  onApplicationBootstrap(): void {
    const engine = this.#engine;
    if (!engine) return;
    const runner: QueuedRunner = async (run, attempt) => {
      const found = await engine.readQueued(run, this.#options.validation);
      if ('end' in found) return found.end;
      await this.#handlers.loadMore();
      return engine.attemptQueued(found, run.handlerId, attempt, run.leaseToken);
    };
    const { name, transport, inbox } = this.#options;
    transport.work?.(transportEndpoint(name, inbox), runner);
    if (this.#runs) transport.inboxWork?.start(this.#runs);
    const stats = async (states: readonly RunState[]) => inbox.stats(name, states);
    this.#log.inbox({ endpoint: name, state: 'opened', stats });
  }

  /**
   * Whether it no longer accepts events, because the application is closing.
   *
   * @internal
   */
  get isClosing(): boolean {
    return this.#finished !== undefined;
  }

  /**
   * Handles an event: runs each of its handlers that has not succeeded yet.
   *
   * @param event the payload of a webhook, or an event of Scalekit's Events API: the message that the SDK returns, or its
   *   JSON form. The object is not changed.
   * @returns what happened to each handler; a handler's error is in the result, not thrown
   * @throws InvalidEventError when it is not an event, or when the `validation` option rejects it
   */
  async dispatch(event: ScalekitEvent<'*'> | Readonly<Record<string, unknown>>): Promise<DispatchResult> {
    const rawBody = Buffer.from(toJson(event));
    return this.handle(new ReceivedEvent(parseEvent(rawBody, this.#options.validation), { rawBody }));
  }

  /**
   * Handles the event of a delivery, within what tracers open for it.
   *
   * @internal
   */
  receive(received: ReceivedEvent): Promise<DispatchResult> {
    const { observers } = this.#log;
    const handle = () => this.handle(received);
    return observers
      ? observers.traceDelivery(observedEvent(this.#options.name, received), handle)
      : handle();
  }

  /**
   * Handles a received event. An identical event that arrives while it is in progress gets the same result.
   *
   * @internal
   */
  handle(received: ReceivedEvent): Promise<DispatchResult> {
    if (this.#finished) return Promise.resolve(UNAVAILABLE);
    return this.#flights.share(received.event.id, received.rawBody, () => this.#deliver(received));
  }

  /**
   * Handles an event of the inbox again. It calls `reopen` once no delivery of the event is in progress, because such a
   * delivery would not run the reopened handlers. Later deliveries wait, because this one may run only some handlers.
   *
   * @internal
   */
  handleAgain(
    received: ReceivedEvent,
    reopen: () => Promise<unknown>,
    handlerIds?: readonly string[],
  ): Promise<DispatchResult> {
    return this.#flights.alone(received.event.id, async () => {
      if (this.#finished) return UNAVAILABLE;
      const reopened = await waitAtMost(reopen(), this.#options.handlerTimeoutMs);
      if (reopened === TIMED_OUT) throw new Error(MESSAGES.inboxTooSlow);
      // The handlers' time starts now, not before the wait.
      return this.#deliver(new ReceivedEvent(received, { ...received, receivedAt: new Date() }), handlerIds);
    });
  }

  /** Accepts no more events, and finishes those in progress. */
  async onModuleDestroy(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  async #finish(): Promise<void> {
    this.#log.inbox({ endpoint: this.#options.name, state: 'closed' });
    const finished = this.#finishDeliveries();
    while ((await waitAtMost(finished, SHUTDOWN_REPORT_MS)) === TIMED_OUT) {
      this.#log.shutdownWaits([...(this.#engine?.running ?? []), ...(this.#runs?.running ?? [])]);
    }
  }

  async #finishDeliveries(): Promise<void> {
    const engine = this.#engine;
    try {
      await this.#options.transport.close?.();
    } finally {
      const deliveries = this.#flights
        .settled()
        .then(() => Promise.all([engine?.drain(), this.#runs?.drain()]));
      // A run cannot be settled after its lease.
      await waitAtMost(deliveries, engine?.leaseMs ?? 0);
    }
  }

  async #deliver(received: ReceivedEvent, handlerIds?: readonly string[]): Promise<DispatchResult> {
    if (this.#finished || !this.#engine) return UNAVAILABLE;
    if (this.#modules.size !== this.#handlers.knownModules) await this.#handlers.loadMore();
    const { name, transport } = this.#options;
    // Without `retriesInMs`, workers execute the runs of deliveries from the start.
    const workers = transport.inboxWork?.retriesInMs === undefined ? this.#runs : undefined;
    const result = await (workers
      ? workers.enqueue(received, handlerIds)
      : this.#engine.deliver(received, handlerIds));
    if (workers && result.outcome === 'accepted') transport.inboxWork?.wake(name);
    const { event } = received;
    const mayBeRefused = this.#handlers.refused.length > 0 && !handlerIds && isAcknowledged(result.outcome);
    if (mayBeRefused && this.#handlers.refuses(event.type)) {
      return { ...result, outcome: 'unavailable' };
    }
    if (result.outcome === 'ignored' && !handlerIds) this.#handlers.ignored(event);
    return result;
  }
}

/** @throws InvalidEventError for a value that JSON cannot express, such as one that contains itself */
function toJson(event: unknown): string {
  try {
    // A value without JSON, such as undefined, is refused later: it is not an event.
    return JSON.stringify(isJsonObject(event) ? toWebhookEvent(event) : event) ?? 'null';
  } catch {
    throw new InvalidEventError('not_json', MESSAGES.eventWithoutJson);
  }
}

interface Flight {
  readonly result: Promise<DispatchResult>;
  /** The bytes of the event, if others may share the result. */
  readonly shared?: Buffer;
}

/** Handles each event only once at a time in this process. */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  /**
   * Handles an event. While it is in progress, callers with the same bytes get the same result. Callers with other bytes
   * under the same id wait for their turn.
   */
  share(eventId: string, rawBody: Buffer, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#flights.get(eventId);
    if (!current) return this.#begin(eventId, handle, rawBody);
    if (current.shared?.equals(rawBody)) return current.result;
    return ended(current).then(() => this.share(eventId, rawBody, handle));
  }

  /** Handles an event once no other call for it is in progress. Later callers wait for their turn. */
  alone(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#flights.get(eventId);
    if (!current) return this.#begin(eventId, handle);
    return ended(current).then(() => this.alone(eventId, handle));
  }

  /** Resolves when everything that is in progress now has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#flights.values()].map(ended));
  }

  #begin(eventId: string, handle: () => Promise<DispatchResult>, shared?: Buffer): Promise<DispatchResult> {
    const result = handle();
    const remove = () => this.#flights.delete(eventId);
    result.then(remove, remove);
    this.#flights.set(eventId, { result, ...(shared && { shared }) });
    return result;
  }
}

async function ended({ result }: Flight): Promise<void> {
  await Promise.allSettled([result]);
}
