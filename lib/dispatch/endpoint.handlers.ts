import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { DeliveryLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import { type DispatchOptions, RESOLVED_OPTIONS } from './dispatch.options.js';
import { type ExploredHandlers, HandlerExplorer } from './handler.explorer.js';
import { type EventHandler, HandlerRegistry, patternsOf } from './handler.registry.js';
import type { ReceivedEvent } from './received-event.js';

/** The part of `EventEmitter2` that the bridge uses. */
interface AsyncEventEmitter {
  emitAsync(event: string, ...values: unknown[]): Promise<unknown[]>;
  hasListeners(event?: string): boolean;
}

/** Emits events on `@nestjs/event-emitter`, as one more handler with its own run in the inbox. */
@Injectable()
export class EventEmitterBridge {
  constructor(@Inject(ModuleRef) private readonly moduleRef: ModuleRef) {}

  /** @throws ScalekitWebhooksConfigurationError when the application does not import `EventEmitterModule` */
  async handler(): Promise<EventHandler> {
    const emitter = await this.#emitter();
    return {
      id: 'EventEmitter2',
      patterns: ['*'],
      accepts: (type) => emitter.hasListeners(`scalekit.${type}`),
      run: async (event, delivery) => emitter.emitAsync(`scalekit.${event.type}`, event, delivery),
    };
  }

  async #emitter(): Promise<AsyncEventEmitter> {
    try {
      // Imported only when it is used, because the package is an optional peer.
      const { EventEmitter2 } = await import('@nestjs/event-emitter');
      return this.moduleRef.get(EventEmitter2, { strict: false });
    } catch {
      throw new ScalekitWebhooksConfigurationError('eventEmitter', MESSAGES.eventEmitterMissing);
    }
  }
}

/** The handlers of one endpoint. */
@Injectable()
export class EndpointHandlers {
  /** The same object all the time, although its handlers can change. */
  readonly registry = new HandlerRegistry();
  #explored: ExploredHandlers = { handlers: [], warnings: [], isComplete: true };
  #loading: Promise<void> | undefined;
  readonly #reported = new Set<string>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: DispatchOptions,
    @Inject(HandlerExplorer) private readonly explorer: HandlerExplorer,
    @Inject(EventEmitterBridge) private readonly bridge: EventEmitterBridge,
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
  ) {}

  /** @throws HandlerDeclarationError for a decorated method that cannot run */
  async load(): Promise<void> {
    await this.#explore(true);
  }

  /**
   * Finds the handlers of modules that were loaded since, by a `LazyModuleLoader`. Never rejects.
   *
   * @returns whether it found all; not if a module was still being loaded
   */
  async loadMore(): Promise<boolean> {
    this.#loading ??= this.#loadMore().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
    return this.#explored.isComplete;
  }

  /** Warns about an event without a handler, if the class of one was probably forgotten. Once for each such handler. */
  ignored({ id, type }: ReceivedEvent['event']): void {
    const forgotten = this.explorer.forgottenHandler(type, this.options.name);
    if (!forgotten) return;
    const { className, methodName } = forgotten;
    const method = `${className}.${methodName}`;
    if (this.#reported.has(method)) return;
    this.#reported.add(method);
    this.log.warn(MESSAGES.handlerForgotten(className, methodName, id, type));
  }

  /** Their ids in the inbox. */
  get ids(): readonly string[] {
    return this.registry.ids;
  }

  /** One line per handler: its patterns and its id. */
  get table(): readonly string[] {
    return tableOf(this.registry.all);
  }

  /** Likely mistakes in these handlers, although they can run. */
  get warnings(): readonly string[] {
    return warningsAbout(this.registry.all);
  }

  /** Likely mistakes in the handlers of the application, whichever endpoint they are for. */
  applicationWarnings(endpoints: readonly string[]): readonly string[] {
    const lost = this.#explored.handlers.flatMap(({ id, endpoints: named = [] }) =>
      named.filter((name) => !endpoints.includes(name)).map((name) => MESSAGES.unknownEndpoint(id, name)),
    );
    return [...this.#explored.warnings, ...lost];
  }

  async #explore(isStarting: boolean): Promise<void> {
    this.#explored = await this.explorer.explore(isStarting);
    const own = this.#explored.handlers.filter(
      ({ endpoints }) => endpoints?.includes(this.options.name) ?? true,
    );
    const emitter = this.options.eventEmitter ? [await this.bridge.handler()] : [];
    this.registry.replace([...own, ...emitter]);
  }

  async #loadMore(): Promise<void> {
    const { all: before } = this.registry;
    try {
      await this.#explore(false);
      const added = this.registry.all.filter(({ id }) => !before.some((known) => known.id === id));
      this.log.handlersAdded(tableOf(added));
      if (added.length > 0) for (const warning of warningsAbout(added)) this.log.warn(warning);
    } catch (error) {
      this.log.handlersRefused(error);
    }
  }
}

function tableOf(handlers: readonly EventHandler[]): string[] {
  return handlers.map(({ id, patterns }) => MESSAGES.handlerTableRow(patterns, id));
}

function warningsAbout(handlers: readonly EventHandler[]): string[] {
  if (handlers.length === 0) return [MESSAGES.noHandlers];
  const known = new Set(SCALEKIT_EVENT_TYPES.flatMap(patternsOf));
  return handlers.flatMap(({ id, patterns }) =>
    patterns.filter((pattern) => !known.has(pattern)).map((pattern) => MESSAGES.unknownPattern(id, pattern)),
  );
}
