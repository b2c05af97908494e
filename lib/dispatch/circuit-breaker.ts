import { sleep } from './timeout.js';

// The first wait is short, since most failures of a database are over at once.
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;
// So many failures in a row are an outage, and not the fault of one event.
const FAILURES_OF_AN_OUTAGE = 5;

/**
 * Spares a service that is down: once several calls in a row have failed, it lets one call through per back-off and
 * refuses the others with the last error, until a call succeeds.
 */
export class CircuitBreaker {
  #failures = 0;
  #lastError: unknown;
  #backOffMs = 0;
  #nextCallAt = 0;

  /** For how long it refuses calls from now on, in ms. 0 if it lets the next one through. */
  get refusesForMs(): number {
    return this.#isOpen ? Math.max(0, this.#nextCallAt - Date.now()) : 0;
  }

  /**
   * Tries again, with back-off and jitter, until a call succeeds or the time is over.
   *
   * @param timeLeftMs how much time is left
   * @throws the error of the last call
   */
  async retryWithin<T>(work: () => Promise<T>, timeLeftMs: () => number): Promise<T> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = longer(waitMs)) {
      try {
        return await this.call(work);
      } catch (error) {
        const pauseMs = this.refusesForMs || withJitter(waitMs);
        if (timeLeftMs() <= pauseMs) throw error;
        await sleep(pauseMs);
      }
    }
  }

  /** @throws the error of the call, or the last error if it refuses the call */
  async call<T>(work: () => Promise<T>): Promise<T> {
    if (this.refusesForMs > 0) throw this.#lastError;
    // The back-off begins with the call, because the call may never be answered.
    if (this.#isOpen) this.#backOff();
    try {
      const result = await work();
      this.#failures = 0;
      this.#backOffMs = 0;
      return result;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  /** Counts a failure, also that of a call that is not answered in time. */
  failed(error: unknown): void {
    this.#lastError = error;
    this.#failures += 1;
    if (this.#failures >= FAILURES_OF_AN_OUTAGE && !this.#isOpen) this.#backOff();
  }

  get #isOpen(): boolean {
    return this.#backOffMs > 0;
  }

  #backOff(): void {
    this.#backOffMs = longer(this.#backOffMs || FIRST_WAIT_MS);
    this.#nextCallAt = Date.now() + withJitter(this.#backOffMs);
  }
}

function longer(waitMs: number): number {
  return Math.min(2 * waitMs, LONGEST_WAIT_MS);
}

function withJitter(waitMs: number): number {
  return waitMs * (0.5 + Math.random() / 2);
}
