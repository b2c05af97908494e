/** Whether waiting ended because the time was up. */
export const TIME_UP = Symbol('time is up');

/** A time to wait for several promises, one after another, under a single timer. */
export class Patience {
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
  wait<T>(promise: Promise<T>): Promise<T | typeof TIME_UP> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(TIME_UP);
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
export async function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIME_UP> {
  const patience = new Patience(ms);
  try {
    return await patience.wait(promise);
  } finally {
    patience.end();
  }
}
