import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { MESSAGES } from './dispatch.messages.js';
import { type DispatchOptions, RESOLVED_OPTIONS } from './dispatch.options.js';
import { type ExploredHandlers, HandlerExplorer } from './handler.explorer.js';
import { type EventHandler, patternsOf } from './handler.registry.js';

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
  #handlers: readonly EventHandler[] = [];
  #explored: ExploredHandlers = { handlers: [], warnings: [] };

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: DispatchOptions,
    @Inject(HandlerExplorer) private readonly explorer: HandlerExplorer,
    @Inject(EventEmitterBridge) private readonly bridge: EventEmitterBridge,
  ) {}

  /** @throws HandlerDeclarationError for a decorated method that cannot run */
  async load(): Promise<readonly EventHandler[]> {
    this.#explored = await this.explorer.explore();
    const own = this.#explored.handlers.filter(
      ({ endpoints }) => endpoints?.includes(this.options.name) ?? true,
    );
    const emitter = this.options.eventEmitter ? [await this.bridge.handler()] : [];
    this.#handlers = [...own, ...emitter];
    return this.#handlers;
  }

  /** Their ids in the inbox. */
  get ids(): readonly string[] {
    return this.#handlers.map(({ id }) => id);
  }

  /** One line per handler: its patterns and its id. */
  get table(): readonly string[] {
    return this.#handlers.map(({ id, patterns }) => MESSAGES.handlerTableRow(patterns, id));
  }

  /** Likely mistakes in these handlers, although they can run. */
  get warnings(): readonly string[] {
    return warningsAbout(this.#handlers);
  }

  /** Likely mistakes in the handlers of the application, whichever endpoint they are for. */
  applicationWarnings(endpoints: readonly string[]): readonly string[] {
    const lost = this.#explored.handlers.flatMap(({ id, endpoints: named = [] }) =>
      named.filter((name) => !endpoints.includes(name)).map((name) => MESSAGES.unknownEndpoint(id, name)),
    );
    return [...this.#explored.warnings, ...lost];
  }
}

function warningsAbout(handlers: readonly EventHandler[]): string[] {
  if (handlers.length === 0) return [MESSAGES.noHandlers];
  const known = new Set(SCALEKIT_EVENT_TYPES.flatMap(patternsOf));
  return handlers.flatMap(({ id, patterns }) =>
    patterns.filter((pattern) => !known.has(pattern)).map((pattern) => MESSAGES.unknownPattern(id, pattern)),
  );
}
