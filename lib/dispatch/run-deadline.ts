/** The end of a run's time, as a signal for what can be cancelled. */
export class RunDeadline {
  #isOver = false;
  #controller?: AbortController;
  #timer?: NodeJS.Timeout;

  /** Whether the time ran out while the run went on. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Made when it is asked for: most handlers never do, and it costs more than all else about a run. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isOver) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Lets the time (ms) begin. */
  start(timeoutMs: number): void {
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller?.abort();
    }, timeoutMs);
  }

  /** The run has ended. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
