import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import { MESSAGES } from './dispatch.messages.js';
import type { DispatchOptions } from './dispatch.options.js';
import { RESOLVED_OPTIONS } from './dispatch.options.js';
import { type ExploredHandlers, HandlerExplorer } from './handler.explorer.js';
import { type EventHandler, patternsOf } from './handler.registry.js';

/** What the bridge needs of `EventEmitter2`. */
interface AsyncEventEmitter {
  emitAsync(event: string, ...values: unknown[]): Promise<unknown[]>;
  hasListeners(event?: string): boolean;
}

/** Hands events on to `@nestjs/event-emitter`, as one more handler with its own row in the inbox. */
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
      // Imported only where it is asked for: the package is an optional peer.
      const { EventEmitter2 } = await import('@nestjs/event-emitter');
      return this.moduleRef.get(EventEmitter2, { strict: false });
    } catch {
      throw new ScalekitWebhooksConfigurationError('eventEmitter', MESSAGES.eventEmitterMissing);
    }
  }
}

/** The handlers that take one endpoint's events. */
@Injectable()
export class EndpointHandlers {
  #handlers: readonly EventHandler[] = [];
  #explored: ExploredHandlers = { handlers: [], warnings: [] };

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: DispatchOptions,
    @Inject(HandlerExplorer) private readonly explorer: HandlerExplorer,
    @Inject(EventEmitterBridge) private readonly bridge: EventEmitterBridge,
  ) {}

  /** @throws HandlerDeclarationError for a decorated method that could never run */
  async load(): Promise<readonly EventHandler[]> {
    this.#explored = await this.explorer.explore();
    const own = this.#explored.handlers.filter(
      ({ endpoints }) => endpoints?.includes(this.options.name) ?? true,
    );
    const emitter = this.options.eventEmitter ? [await this.bridge.handler()] : [];
    this.#handlers = [...own, ...emitter];
    return this.#handlers;
  }

  /** The ids under which the inbox knows them. */
  get ids(): readonly string[] {
    return this.#handlers.map(({ id }) => id);
  }

  /** One line per handler: what it takes. */
  get table(): readonly string[] {
    return this.#handlers.map(({ id, patterns }) => MESSAGES.handlerTableRow(patterns, id));
  }

  /** What is likely a mistake about these handlers, though they can run. */
  get warnings(): readonly string[] {
    return warningsAbout(this.#handlers);
  }

  /** What is likely a mistake about the handlers of the application, whichever endpoint they are for. */
  applicationWarnings(endpoints: readonly string[]): readonly string[] {
    const lost = this.#explored.handlers.flatMap(({ id, endpoints: named = [] }) =>
      named.filter((name) => !endpoints.includes(name)).map((name) => MESSAGES.endpointUnknown(id, name)),
    );
    return [...this.#explored.warnings, ...lost];
  }
}

function warningsAbout(handlers: readonly EventHandler[]): string[] {
  if (handlers.length === 0) return [MESSAGES.noHandlers];
  const known = new Set(SCALEKIT_EVENT_TYPES.flatMap(patternsOf));
  return handlers.flatMap(({ id, patterns }) =>
    patterns
      .filter((pattern) => !known.has(pattern))
      .map((pattern) => MESSAGES.patternOfNoKnownType(id, pattern)),
  );
}
