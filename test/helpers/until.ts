import { setTimeout as pause } from 'node:timers/promises';

const PAUSE_MS = 25;

/** Asks again and again until the answer is right, for what another process does. Fails after `timeoutMs`. */
export async function until<T>(
  ask: () => Promise<T> | T,
  isRight: (answer: T) => boolean,
  timeoutMs = 15_000,
): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (performance.now() > giveUpAt) {
      throw new Error(`Still ${JSON.stringify(answer)} after ${timeoutMs} ms`);
    }
    await pause(PAUSE_MS);
  }
}
