import { SCALEKIT_EVENT_TYPES } from '../events/catalog.js';
import type { EventHandler } from './event-handler.js';
import { patternsOf } from './event-pattern.js';

/** The handlers of one endpoint, found by event type. Its cost does not grow with their number. */
export class HandlerRegistry {
  readonly #byPattern = new Map<string, EventHandler[]>();
  readonly #ofKnownType: ReadonlyMap<string, readonly EventHandler[]>;
  readonly #byId: ReadonlyMap<string, EventHandler>;

  constructor(handlers: readonly EventHandler[]) {
    this.#byId = new Map(handlers.map((handler) => [handler.id, handler]));
    for (const handler of handlers) {
      for (const pattern of new Set(handler.patterns)) {
        const sharing = this.#byPattern.get(pattern);
        if (sharing) sharing.push(handler);
        else this.#byPattern.set(pattern, [handler]);
      }
    }
    this.#ofKnownType = new Map(SCALEKIT_EVENT_TYPES.map((type) => [type, this.#find(type)]));
  }

  /** The handler with this id. */
  byId(id: string): EventHandler | undefined {
    return this.#byId.get(id);
  }

  /** Every handler with a pattern that the type matches, each once. */
  matching(type: string): readonly EventHandler[] {
    const handlers = this.#ofKnownType.get(type) ?? this.#find(type);
    return handlers.filter((handler) => handler.accepts?.(type) ?? true);
  }

  #find(type: string): readonly EventHandler[] {
    return [...new Set(patternsOf(type).flatMap((pattern) => this.#byPattern.get(pattern) ?? []))];
  }
}
