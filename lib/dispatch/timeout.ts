/** The result of {@link Timeout.wait} and {@link waitAtMost} when the time runs out first. */
export const TIMED_OUT = Symbol('timed out');

/** A time limit for several promises, one after another, with a single timer. */
export class Timeout {
  readonly #timer: NodeJS.Timeout;
  readonly #endsAt: number;
  #isOver = false;
  #giveUp?: () => void;

  /** @param ms how long it lasts, from now */
  constructor(ms: number) {
    this.#endsAt = Date.now() + ms;
    this.#timer = setTimeout(
      () => {
        this.#isOver = true;
        this.#giveUp?.();
      },
      Math.max(0, ms),
    );
  }

  /** Waits for a promise, but not beyond the time limit. It does not cancel the promise. */
  wait<T>(promise: Promise<T>): Promise<T | typeof TIMED_OUT> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(TIMED_OUT);
      promise.then(resolve, reject);
      // A promise that has already settled still counts.
      if (this.#isOver) setTimeout(this.#giveUp);
    });
  }

  /** How much time is left, in ms. */
  timeLeftMs(): number {
    return this.#endsAt - Date.now();
  }

  /** Stops the timer. Call it when there is nothing left to wait for. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Passes a time limit of `ms` to work, and stops it when the work has ended. */
export async function withTimeout<T>(ms: number, work: (timeout: Timeout) => Promise<T>): Promise<T> {
  const timeout = new Timeout(ms);
  try {
    return await work(timeout);
  } finally {
    timeout.end();
  }
}

/** Waits for a promise, but at most `ms`. The promise itself goes on. */
export function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  return withTimeout(ms, (timeout) => timeout.wait(promise));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
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

  /** Created on first use, because most handlers do not use it. */
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
