import { MESSAGES } from './dispatch.messages.js';

const INTERVAL_MS = 10_000;
// Error messages can contain anything, so their number has no limit of its own.
const MAX_CAUSES = 50;
const OTHER_CAUSES = 'other causes';

/** Writes one line per cause and interval, and how many it held back, so that an outage does not flood the log. */
export class LogThrottle {
  readonly #held = new Map<string, { count: number; last: string }>();

  /** @param write writes a line. It must not throw. */
  write(cause: string, line: string, write: (line: string) => void): void {
    const key = this.#held.has(cause) || this.#held.size < MAX_CAUSES ? cause : OTHER_CAUSES;
    const held = this.#held.get(key);
    if (held) {
      held.count += 1;
      held.last = line;
    } else {
      write(line);
      this.#holdBack(key, write);
    }
  }

  /** Holds back the lines of a cause for an interval, and for another one if there were any. */
  #holdBack(cause: string, write: (line: string) => void): void {
    const held = { count: 0, last: '' };
    this.#held.set(cause, held);
    const timer = setTimeout(() => {
      this.#held.delete(cause);
      if (held.count === 0) return;
      write(MESSAGES.heldBack(held.last, held.count, INTERVAL_MS / 1000));
      this.#holdBack(cause, write);
    }, INTERVAL_MS);
    timer.unref();
  }
}
