import { setTimeout as pause } from 'node:timers/promises';

const PAUSE_MS = 25;

/** Asks again and again for what another process brings about, but not for ever. */
export async function until<T>(
  ask: () => Promise<T> | T,
  isSo: (answer: T) => boolean,
  atMostMs = 15_000,
): Promise<T> {
  const giveUpAt = performance.now() + atMostMs;
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (performance.now() > giveUpAt) throw new Error(`Still ${JSON.stringify(answer)} after ${atMostMs} ms`);
    await pause(PAUSE_MS);
  }
}
