import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import { parseEvent } from '../parse/parse-event.js';
import { DeliveryLog } from './delivery.log.js';
import type { DispatchOptions } from './dispatch.options.js';
import { RESOLVED_OPTIONS } from './dispatch.options.js';
import { type DispatchResult } from './dispatch-result.js';
import { EndpointHandlers } from './endpoint.handlers.js';
import { EventProcessor } from './event.processor.js';
import { HandlerRegistry } from './handler.registry.js';
import { QueuedRunProcessor } from './queued-run.processor.js';
import { ReceivedEvent } from './received-event.js';
import { SingleFlight } from './single-flight.js';
import { waitAtMost } from './timeout.js';

const UNAVAILABLE: DispatchResult = Object.freeze({ outcome: 'unavailable', handlers: [] });

/**
 * Hands events to their handlers, each handler once per event. The module's controller uses it for deliveries;
 * inject it to handle an event that did not come by HTTP, such as one read from Scalekit's Events API.
 */
@Injectable()
export class ScalekitEventDispatcher implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  readonly #inFlight = new SingleFlight();
  #processor?: EventProcessor;
  #queued?: QueuedRunProcessor;
  #closing = false;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: DispatchOptions,
    @Inject(EndpointHandlers) private readonly handlers: EndpointHandlers,
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
  ) {}

  async onModuleInit(): Promise<void> {
    const registry = new HandlerRegistry(await this.handlers.load());
    const { name: endpoint, inbox, validation } = this.options;
    this.#queued = new QueuedRunProcessor(registry, { endpoint, inbox, validation, log: this.log });
    this.#processor = new EventProcessor(registry, {
      endpoint,
      inbox,
      transport: this.options.transport,
      handlerTimeoutMs: this.options.handlerTimeoutMs,
      log: this.log,
    });
  }

  onApplicationBootstrap(): void {
    const queued = this.#queued;
    if (queued)
      this.options.transport.work?.(this.options.name, (run, attempt) => queued.process(run, attempt));
  }

  /**
   * Handles an event: each of its handlers that has not yet succeeded for it runs once.
   *
   * @param event an event in Scalekit's wire form, handled as its JSON says; the object itself stays as it is
   * @returns how each handler fared; a handler's error is in the result, not thrown
   * @throws InvalidEventError when it is no event, or breaks a rule of the `validation` option
   */
  async dispatch(event: ScalekitEvent<'*'> | Readonly<Record<string, unknown>>): Promise<DispatchResult> {
    // What has no JSON is no event either.
    const rawBody = Buffer.from(JSON.stringify(event) ?? 'null');
    return this.handle(new ReceivedEvent(parseEvent(rawBody, this.options.validation), { rawBody }));
  }

  /**
   * Handles a received event. The same event again while it is in progress waits for that, and shares its result.
   *
   * @internal
   */
  handle(received: ReceivedEvent): Promise<DispatchResult> {
    if (this.#closing) return Promise.resolve(UNAVAILABLE);
    return this.#inFlight.share(received.event.id, () => this.#process(received));
  }

  /**
   * Handles an event again that is in the inbox. `reopen` is called when no delivery of it is in progress: that one would
   * not run what is reopened meanwhile. A delivery that comes meanwhile waits, since some handlers alone may be run.
   *
   * @internal
   */
  handleAgain(
    received: ReceivedEvent,
    reopen: () => Promise<unknown>,
    handlerIds?: readonly string[],
  ): Promise<DispatchResult> {
    return this.#inFlight.alone(received.event.id, async () => {
      if (this.#closing) return UNAVAILABLE;
      await reopen();
      // The handlers' time begins now, however long the wait was.
      return this.#process(new ReceivedEvent(received, { ...received, receivedAt: new Date() }), handlerIds);
    });
  }

  /** Takes nothing new, and finishes what is in progress. */
  async onModuleDestroy(): Promise<void> {
    this.#closing = true;
    try {
      await this.options.transport.close?.();
    } finally {
      await this.#finish();
    }
  }

  async #finish(): Promise<void> {
    const processor = this.#processor;
    if (!processor) return;
    const finished = this.#inFlight.settled().then(() => processor.drain());
    // Beyond its lease a run could no longer record its end.
    await waitAtMost(finished, processor.leaseMs);
  }

  #process(received: ReceivedEvent, handlerIds?: readonly string[]): Promise<DispatchResult> {
    if (this.#closing || !this.#processor) return Promise.resolve(UNAVAILABLE);
    return this.#processor.process(received, handlerIds);
  }
}
