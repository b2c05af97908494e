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

/** How a {@link Batcher} sends its items. */
export interface BatchOptions<Item, Answer> {
  /** The name of the database, for the message of a timeout. */
  readonly database: string;
  /** Sends a batch, and resolves to a function that finds the answer to each of its items. */
  send(items: readonly Item[]): Promise<(item: Item) => Answer>;
  /** Items that have a key in common are never in the same batch. */
  keysOf(item: Item): readonly string[];
  /** About how large an item is. */
  bytesOf(item: Item): number;
  /** Whether a batch may have failed because of one of its items, so that the others can succeed without it. */
  mayBeOfOneItem(error: unknown): boolean;
}

const MAX_ITEMS = 64;
/** A batch has more only if it is a single item. */
const MAX_BYTES = 1024 * 1024;
/**
 * A batch that takes longer no longer holds up the others: the database may be far away or busy, the connection lost, or a row
 * locked. The more batches are on their way, the longer the next one waits, so that a slow database does not get too many.
 */
const PATIENCE_MS = 50;

interface Waiting<Item, Answer> {
  readonly item: Item;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/**
 * Collects the items that arrive while a batch is on its way, and sends them together in the next batch, so that
 * concurrent deliveries share the round trips and commits of a database. If no batch is on its way, an item is sent at once.
 *
 * Each item gets its own answer once its batch is committed, or an error after 10 s. An item that makes its batch fail does
 * not fail the others: each is then sent by itself.
 */
export class Batcher<Item, Answer> {
  #waiting: Waiting<Item, Answer>[] = [];
  /** The batch that holds up the others. */
  #holdingUp: readonly Waiting<Item, Answer>[] | undefined;
  #inFlight = 0;

  constructor(private readonly options: BatchOptions<Item, Answer>) {}

  /** @throws InboxTimeoutError when there is no answer within 10 s */
  ask(item: Item): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
    });
    this.#sendWaiting();
    return answerInTime(answer, this.options.database);
  }

  #sendWaiting(): void {
    if (!this.#holdingUp && this.#waiting.length > 0) void this.#send(this.#nextBatch());
  }

  /** Never rejects. */
  async #send(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    this.#holdingUp = batch;
    this.#inFlight += 1;
    const letNextGo = () => {
      if (this.#holdingUp !== batch) return;
      this.#holdingUp = undefined;
      this.#sendWaiting();
    };
    const timer = setTimeout(letNextGo, PATIENCE_MS * this.#inFlight);
    await this.#answer(batch);
    this.#inFlight -= 1;
    clearTimeout(timer);
    letNextGo();
  }

  async #answer(batch: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answerTo = await this.options.send(batch.map(({ item }) => item));
      for (const { item, resolve } of batch) resolve(answerTo(item));
    } catch (error) {
      if (batch.length > 1 && this.options.mayBeOfOneItem(error)) {
        await Promise.all(batch.map((one) => this.#answer([one])));
      } else for (const { reject } of batch) reject(error);
    }
  }

  /** Takes the items that have waited longest, as many as may go together. */
  #nextBatch(): readonly Waiting<Item, Answer>[] {
    const batch: Waiting<Item, Answer>[] = [];
    const left: Waiting<Item, Answer>[] = [];
    const keys = new Set<string>();
    let bytes = 0;
    for (const waiting of this.#waiting) {
      const itsKeys = this.options.keysOf(waiting.item);
      const itsBytes = this.options.bytesOf(waiting.item);
      const fits = batch.length === 0 || (batch.length < MAX_ITEMS && bytes + itsBytes <= MAX_BYTES);
      if (!fits || itsKeys.some((key) => keys.has(key))) {
        left.push(waiting);
        continue;
      }
      batch.push(waiting);
      bytes += itsBytes;
      for (const key of itsKeys) keys.add(key);
    }
    this.#waiting = left;
    return batch;
  }
}
