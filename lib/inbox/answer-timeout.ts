import { InboxTimeoutError } from '../errors/errors.js';

/** How long a store waits for a response, in ms. A connection that is silent for this long is probably lost. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Waits for a response of the store's database, at most 10 s. The database may still execute the statement.
 *
 * @param database the name of the database, for the message
 * @throws InboxTimeoutError when there is no response
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
