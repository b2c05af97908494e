import { withoutPrototype } from '../errors/settings.js';
import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import type { ScalekitEvent } from '../events/scalekit-event.types.js';
import type { HandlerRetries } from './event-transport.js';
import type { ReceivedEvent } from './received-event.js';
import type { ScalekitDelivery } from './scalekit-delivery.js';

/** What request-scoped providers of an event's handlers get when they inject `REQUEST`. */
export class ScalekitEventContext {
  readonly event: ScalekitEvent<'*'>;
  readonly endpoint: string;
  readonly headers: ScalekitDelivery['headers'];

  constructor({ event, headers }: ReceivedEvent, endpoint: string) {
    this.event = event;
    this.endpoint = endpoint;
    this.headers = headers;
  }
}

/** Which runs of a handler keep their order: those with the same entity, organization or text. */
export type EventOrder<E = ScalekitEvent<'*'>> =
  | 'entity'
  | 'organization'
  | ((event: E) => string | undefined);

/** A decorated method, ready to run. */
export interface EventHandler extends HandlerRetries {
  readonly id: string;
  readonly patterns: readonly string[];
  /** Undefined means every endpoint. */
  readonly endpoints?: readonly string[];
  /** Undefined means the module's `handlerTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Whether it handles only the newest event of each entity. */
  readonly latestOnly?: boolean;
  /** Undefined means that its runs keep no order. */
  readonly order?: EventOrder;
  /** Undefined means every event that matches the patterns. */
  accepts?(type: string): boolean;
  /** Runs the method with its guards, interceptors, pipes and filters. All handlers of one event share a context. */
  run(event: ScalekitEvent<'*'>, delivery: ScalekitDelivery, context: ScalekitEventContext): Promise<unknown>;
}

/** The patterns that match an event type, from the exact name to `*`: `a.b` → `a.b`, `a.*`, `*`. */
export function patternsOf(type: string): readonly string[] {
  const patterns = [type];
  for (let dot = type.lastIndexOf('.'); dot > 0; dot = type.lastIndexOf('.', dot - 1)) {
    patterns.push(`${type.slice(0, dot)}.*`);
  }
  patterns.push('*');
  return patterns;
}

/** The handlers of one endpoint by event type. The number of handlers does not slow down a lookup. */
export class HandlerRegistry {
  #byPattern: ReadonlyMap<string, readonly EventHandler[]> = new Map();
  #ofKnownType: ReadonlyMap<string, readonly EventHandler[]> = new Map();
  #byId: ReadonlyMap<string, EventHandler> = new Map();

  constructor(handlers: readonly EventHandler[] = []) {
    this.replace(handlers);
  }

  /** Replaces the handlers: modules that are loaded later can have more. */
  replace(given: readonly EventHandler[]): void {
    // An option that a handler does not have must not come from `Object.prototype`.
    const handlers = given.map(withoutPrototype);
    const byPattern = new Map<string, EventHandler[]>();
    for (const handler of handlers) {
      for (const pattern of new Set(handler.patterns)) {
        const sharing = byPattern.get(pattern);
        if (sharing) sharing.push(handler);
        else byPattern.set(pattern, [handler]);
      }
    }
    this.#byId = new Map(handlers.map((handler) => [handler.id, handler]));
    this.#byPattern = byPattern;
    this.#ofKnownType = new Map(SCALEKIT_EVENT_TYPES.map((type) => [type, this.#find(type)]));
  }

  /** All handlers, in the order in which they were found. */
  get all(): readonly EventHandler[] {
    return [...this.#byId.values()];
  }

  /** The ids of all handlers. */
  get ids(): readonly string[] {
    return [...this.#byId.keys()];
  }

  /** The handler with this id. */
  byId(id: string): EventHandler | undefined {
    return this.#byId.get(id);
  }

  /** Every handler with a pattern that matches the type, each once. */
  matching(type: string): readonly EventHandler[] {
    const handlers = this.#ofKnownType.get(type) ?? this.#find(type);
    return handlers.filter((handler) => handler.accepts?.(type) ?? true);
  }

  #find(type: string): readonly EventHandler[] {
    return [...new Set(patternsOf(type).flatMap((pattern) => this.#byPattern.get(pattern) ?? []))];
  }
}
