import type { DispatchResult } from './dispatch-result.js';

interface Flight {
  readonly result: Promise<DispatchResult>;
  /** The bytes of the event, if others may share the result. */
  readonly shared?: Buffer;
}

/** Handles each event only once at a time in this process. */
export class SingleFlight {
  readonly #flights = new Map<string, Flight>();

  /**
   * Handles an event. While it is in progress, callers with the same bytes get the same result. Callers with other bytes
   * under the same id wait for their turn.
   */
  share(eventId: string, rawBody: Buffer, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#flights.get(eventId);
    if (!current) return this.#begin(eventId, handle, rawBody);
    if (current.shared?.equals(rawBody)) return current.result;
    return ended(current).then(() => this.share(eventId, rawBody, handle));
  }

  /** Handles an event once no other call for it is in progress. Later callers wait for their turn. */
  alone(eventId: string, handle: () => Promise<DispatchResult>): Promise<DispatchResult> {
    const current = this.#flights.get(eventId);
    if (!current) return this.#begin(eventId, handle);
    return ended(current).then(() => this.alone(eventId, handle));
  }

  /** Resolves when everything that is in progress now has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#flights.values()].map(ended));
  }

  #begin(eventId: string, handle: () => Promise<DispatchResult>, shared?: Buffer): Promise<DispatchResult> {
    const result = handle();
    const remove = () => this.#flights.delete(eventId);
    result.then(remove, remove);
    this.#flights.set(eventId, { result, ...(shared && { shared }) });
    return result;
  }
}

async function ended({ result }: Flight): Promise<void> {
  await Promise.allSettled([result]);
}
