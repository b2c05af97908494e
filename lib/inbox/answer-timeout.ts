import { InboxTimeoutError } from '../errors/errors.js';

/** How long a store waits for an answer, in ms. A connection that was silent for so long is probably lost. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Waits for an answer of the store's database for 10 s at most. The database may still do what it was asked for.
 *
 * @param database who has to answer, for the message
 * @throws InboxTimeoutError when there is no answer
 */
export function answerInTime<T>(answer: Promise<T>, database: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new InboxTimeoutError(database, ANSWER_TIMEOUT_MS)),
      ANSWER_TIMEOUT_MS,
    );
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
