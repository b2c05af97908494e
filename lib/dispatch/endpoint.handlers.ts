import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { DeliveryLog } from './delivery.log.js';
import { MESSAGES } from './dispatch.messages.js';
import { type DispatchOptions, RESOLVED_OPTIONS } from './dispatch.providers.js';
import { orderingError } from './event-order.js';
import { type ExploredHandlers, HandlerExplorer, type RefusedHandler } from './handler.explorer.js';
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
  #explored: ExploredHandlers = {
    handlers: [],
    refused: [],
    observers: [],
    warnings: [],
    isComplete: true,
  };
  /** Those that cannot run although an event may ask for them. */
  refused: readonly RefusedHandler[] = [];
  /** How many modules the application had when all of its handlers were found. */
  knownModules = 0;
  #loading: Promise<void> | undefined;
  readonly #reported = new Set<string>();

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: DispatchOptions,
    @Inject(HandlerExplorer) private readonly explorer: HandlerExplorer,
    @Inject(EventEmitterBridge) private readonly bridge: EventEmitterBridge,
    @Inject(DeliveryLog) private readonly log: DeliveryLog,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {}

  /**
   * @throws HandlerDeclarationError for a decorated method that cannot run
   * @throws ScalekitWebhooksConfigurationError for one that needs another inbox or transport
   */
  async load(): Promise<void> {
    await this.#explore(true);
    const [refused] = [...this.#explored.refused, ...this.refused];
    if (refused) throw refused.error;
  }

  /** Finds the handlers of modules that were loaded since, by a `LazyModuleLoader`. Never rejects. */
  async loadMore(): Promise<void> {
    // A search in progress may have begun before the last module was loaded.
    await this.#loading;
    if (this.modules.size === this.knownModules) return;
    this.#loading ??= this.#loadMore().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  /** Whether a handler that cannot run asked for events of this type, so that none of them may be acknowledged. */
  refuses(type: string): boolean {
    const matching = patternsOf(type);
    return this.refused.some(({ patterns }) => patterns.some((pattern) => matching.includes(pattern)));
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
    const { size } = this.modules;
    this.#explored = await this.explorer.explore(isStarting);
    this.log.observe(this.#explored.observers);
    const isOwn = ({ endpoints }: RefusedHandler | EventHandler) =>
      endpoints?.includes(this.options.name) ?? true;
    const emitter = this.options.eventEmitter ? [await this.bridge.handler()] : [];
    const own = this.#explored.handlers.filter(isOwn);
    const misordered = own.flatMap((handler) => {
      const error = orderingError(handler, this.options.inbox, this.options.transport);
      return error ? { ...handler, error } : [];
    });
    this.refused = [...this.#explored.refused.filter(isOwn), ...misordered];
    const isRefused = ({ id }: EventHandler) => misordered.some((refused) => refused.id === id);
    this.registry.replace([...own.filter((handler) => !isRefused(handler)), ...emitter]);
    if (this.#explored.isComplete) this.knownModules = size;
  }

  async #loadMore(): Promise<void> {
    const { all: before } = this.registry;
    try {
      await this.#explore(false);
      const added = this.registry.all.filter(({ id }) => !before.some((known) => known.id === id));
      this.log.handlersAdded(tableOf(added));
      if (added.length > 0) for (const warning of warningsAbout(added)) this.log.warn(warning);
    } catch (error) {
      // Not the error of a handler. Any handler may be missing.
      this.refused = [{ patterns: ['*'], error }];
    }
    for (const { patterns, error } of this.refused) {
      const cause = `${patterns}: ${error}`;
      if (!this.#reported.has(cause)) this.log.handlerRefused(patterns, error);
      this.#reported.add(cause);
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
