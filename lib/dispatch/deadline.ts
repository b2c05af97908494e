/** Whether waiting ended because the time was up. */
export const TIME_UP = Symbol('time is up');

/** Waits for a promise, but not beyond the given time (ms). The promise itself goes on. */
export async function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIME_UP> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<typeof TIME_UP>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), TIME_UP);
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
