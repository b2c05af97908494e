/** What {@link Timeout.wait} and {@link waitAtMost} resolve to when the time ran out first. */
export const TIMED_OUT = Symbol('timed out');

/** A time limit for several promises, one after another, with a single timer. */
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

  /** Waits for a promise, but not beyond the time limit. The promise itself goes on. */
  wait<T>(promise: Promise<T>): Promise<T | typeof TIMED_OUT> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(TIMED_OUT);
      promise.then(resolve, reject);
      // A promise that has settled already still counts.
      if (this.#isOver) setTimeout(this.#giveUp);
    });
  }

  /** Stops the timer. Call it when there is nothing left to wait for. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Waits for a promise, but at most `ms`. The promise itself goes on. */
export async function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  const timeout = new Timeout(ms);
  try {
    return await timeout.wait(promise);
  } finally {
    timeout.end();
  }
}

/** The deadline of one attempt, as a signal for work that can be cancelled. */
export class Deadline {
  #isOver = false;
  #controller?: AbortController;
  #timer?: NodeJS.Timeout;

  /** Whether the deadline passed while the attempt was in progress. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Created on first use, since most handlers never ask for it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isOver) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  start(timeoutMs: number): void {
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller?.abort();
    }, timeoutMs);
  }

  /** The attempt has ended. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
