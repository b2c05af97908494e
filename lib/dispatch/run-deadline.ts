/** The end of a run's time, as a signal for what can be cancelled. */
export class RunDeadline {
  #endsAt = Number.POSITIVE_INFINITY;
  #isOver = false;
  #hasStopped = false;
  #controller?: AbortController;
  #timer?: NodeJS.Timeout;

  /** Whether the time ran out while the run went on. */
  get isOver(): boolean {
    if (!this.#hasStopped) this.#isOver ||= performance.now() >= this.#endsAt;
    return this.#isOver;
  }

  /** Made when it is asked for, with its timer: most handlers never do, and both cost more than all else about a run. */
  get signal(): AbortSignal {
    this.#controller ??= this.#makeController();
    return this.#controller.signal;
  }

  /** Lets the time (ms) begin. */
  start(timeoutMs: number): void {
    this.#endsAt = performance.now() + timeoutMs;
  }

  /** The run has ended. */
  stop(): void {
    this.#isOver = this.isOver;
    this.#hasStopped = true;
    clearTimeout(this.#timer);
  }

  #makeController(): AbortController {
    const controller = new AbortController();
    if (this.isOver) controller.abort();
    else if (!this.#hasStopped) {
      this.#timer = setTimeout(() => {
        this.#isOver = true;
        controller.abort();
      }, this.#endsAt - performance.now());
    }
    return controller;
  }
}
