/** Whether waiting ended because the time was up. */
export const TIMED_OUT = Symbol('time is up');

/** A time to wait for several promises, one after another, under a single timer. */
export class Timeout {
  readonly #timer: NodeJS.Timeout;
  #isOver = false;
  #giveUp?: () => void;

  /** @param ms how long it lasts, from now */
  constructor(ms: number) {
    this.#timer = setTimeout(
      () => {
        this.#isOver = true;
        this.#giveUp?.();
      },
      Math.max(0, ms),
    );
  }

  /** Waits for a promise, but not beyond the time. The promise itself goes on. */
  wait<T>(promise: Promise<T>): Promise<T | typeof TIMED_OUT> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(TIMED_OUT);
      promise.then(resolve, reject);
      // What answers at once is still heard.
      if (this.#isOver) setTimeout(this.#giveUp);
    });
  }

  /** To be called when there is nothing more to wait for. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Waits for a promise, but not beyond the given time (ms). The promise itself goes on. */
export async function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  const patience = new Timeout(ms);
  try {
    return await patience.wait(promise);
  } finally {
    patience.end();
  }
}

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
