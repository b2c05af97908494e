/** Whether waiting ended because the time was up. */
export const TIME_UP = Symbol('time is up');

/** Waits for a promise, but not beyond the given time (ms). The promise itself goes on. */
export function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIME_UP> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, Math.max(0, ms), TIME_UP);
    const endWith = <A>(settle: (answer: A) => void) => {
      return (answer: A) => {
        clearTimeout(timer);
        settle(answer);
      };
    };
    promise.then(endWith(resolve), endWith(reject));
  });
}
