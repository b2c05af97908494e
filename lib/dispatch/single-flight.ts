import type { DispatchResult } from './dispatch-result.js';

interface Flight {
  readonly result: Promise<DispatchResult>;
  readonly isShared: boolean;
}

/** Handles the same event never twice at once in this process. */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  /** Handles an event. Callers that come while it is in progress get the same result. */
  share(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#flights.get(eventId);
    if (!current) return this.#begin(eventId, handle, true);
    return current.isShared ? current.result : ended(current).then(() => this.share(eventId, handle));
  }

  /** Handles an event once nothing else of it is in progress. Callers that come meanwhile wait for their own turn. */
  alone(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#flights.get(eventId);
    if (!current) return this.#begin(eventId, handle, false);
    return ended(current).then(() => this.alone(eventId, handle));
  }

  /** Resolves when everything that is in progress now has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#flights.values()].map(ended));
  }

  #begin(eventId: string, handle: () => Promise<DispatchResult>, isShared: boolean): Promise<DispatchResult> {
    const result = handle();
    const remove = () => this.#flights.delete(eventId);
    result.then(remove, remove);
    this.#flights.set(eventId, { result, isShared });
    return result;
  }
}

async function ended({ result }: Flight): Promise<void> {
  await Promise.allSettled([result]);
}
