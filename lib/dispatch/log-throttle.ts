import { MESSAGES } from './dispatch.messages.js';

const INTERVAL_MS = 10_000;
// Error messages can contain anything, so their number has no limit of its own.
const MAX_CAUSES = 50;
const OTHER_CAUSES = 'other causes';

/** Writes a line, with a note at its end. It must not throw. */
type WriteLine = (note: string) => void;

/** Writes one line per cause and interval, and how many it held back, so that an outage does not flood the log. */
export class LogThrottle {
  readonly #held = new Map<string, { count: number; last: WriteLine }>();

  write(cause: string, write: WriteLine): void {
    const key = this.#held.has(cause) || this.#held.size < MAX_CAUSES ? cause : OTHER_CAUSES;
    const held = this.#held.get(key);
    if (held) {
      held.count += 1;
      held.last = write;
    } else {
      write('');
      this.#holdBack(key, write);
    }
  }

  /** Holds back the lines of a cause for an interval, and for another one if there were any. */
  #holdBack(cause: string, written: WriteLine): void {
    const held = { count: 0, last: written };
    this.#held.set(cause, held);
    const timer = setTimeout(() => {
      this.#held.delete(cause);
      if (held.count === 0) return;
      held.last(MESSAGES.heldBack(held.count, INTERVAL_MS / 1000));
      this.#holdBack(cause, held.last);
    }, INTERVAL_MS);
    timer.unref();
  }
}
