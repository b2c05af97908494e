import type { DispatchResult } from './dispatch-result.js';

interface Handling {
  readonly result: Promise<DispatchResult>;
  readonly isShared: boolean;
}

/** What this process is handling: the same event never twice at once. */
export class SingleFlight {
  #handlings = new Map<string, Handling>();

  /** Handles an event; what shares it while it is in progress gets the same result. */
  share(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#handlings.get(eventId);
    if (!current) return this.#begin(eventId, handle, true);
    return current.isShared ? current.result : ended(current).then(() => this.share(eventId, handle));
  }

  /** Handles an event when nothing else of it is in progress; what comes meanwhile waits for its own turn. */
  alone(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#handlings.get(eventId);
    if (!current) return this.#begin(eventId, handle, false);
    return ended(current).then(() => this.alone(eventId, handle));
  }

  /** Resolves when what is in progress now has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#handlings.values()].map(ended));
  }

  #begin(eventId: string, handle: () => Promise<DispatchResult>, isShared: boolean): Promise<DispatchResult> {
    const result = handle();
    const forget = () => this.#forget(eventId);
    result.then(forget, forget);
    this.#handlings.set(eventId, { result, isShared });
    return result;
  }

  #forget(eventId: string): void {
    this.#handlings.delete(eventId);
    // A map that lives on leaves each of its outgrown tables to V8's next full collection.
    if (this.#handlings.size === 0) this.#handlings = new Map();
  }
}

async function ended({ result }: Handling): Promise<void> {
  await Promise.allSettled([result]);
}
