// So many failures in a row are an outage, and not the fault of one event.
const FAILURES_OF_AN_OUTAGE = 5;
const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 1000;

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
    this.#backOffMs = Math.min(Math.max(FIRST_BACK_OFF_MS, 2 * this.#backOffMs), LONGEST_BACK_OFF_MS);
    this.#nextCallAt = Date.now() + this.#backOffMs * (0.5 + Math.random() / 2);
  }
}
