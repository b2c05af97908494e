import type { EventHandler } from './event-handler.js';
import { patternsOf } from './event-pattern.js';

/** The handlers of one endpoint, found by event type. Its cost does not grow with their number. */
export class HandlerRegistry {
  readonly #byPattern = new Map<string, EventHandler[]>();
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
  }

  /** The handler with this id. */
  byId(id: string): EventHandler | undefined {
    return this.#byId.get(id);
  }

  /** Every handler with a pattern that the type matches, each once. */
  matching(type: string): readonly EventHandler[] {
    const found = new Set<EventHandler>();
    for (const pattern of patternsOf(type)) {
      for (const handler of this.#byPattern.get(pattern) ?? []) found.add(handler);
    }
    return [...found].filter((handler) => handler.accepts?.(type) ?? true);
  }
}
