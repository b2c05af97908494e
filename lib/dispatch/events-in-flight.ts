import type { DispatchResult } from './received-event.js';

interface Handling {
  readonly result: Promise<DispatchResult>;
  readonly isShared: boolean;
}

/** What this process is handling: the same event never twice at once. */
export class EventsInFlight {
  readonly #handlings = new Map<string, Handling>();

  /** Handles an event; what shares it while it is in progress gets the same result. */
  async share(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    for (let current = this.#handlings.get(eventId); current; current = this.#handlings.get(eventId)) {
      if (current.isShared) return current.result;
      await Promise.allSettled([current.result]);
    }
    return this.#begin(eventId, handle, true);
  }

  /** Handles an event when nothing else of it is in progress; what comes meanwhile waits for its own turn. */
  async alone(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    for (let current = this.#handlings.get(eventId); current; current = this.#handlings.get(eventId)) {
      await Promise.allSettled([current.result]);
    }
    return this.#begin(eventId, handle, false);
  }

  /** Resolves when what is in progress now has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#handlings.values()].map(({ result }) => result));
  }

  #begin(eventId: string, handle: () => Promise<DispatchResult>, isShared: boolean): Promise<DispatchResult> {
    const result = handle().finally(() => this.#handlings.delete(eventId));
    this.#handlings.set(eventId, { result, isShared });
    return result;
  }
}
