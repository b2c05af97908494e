import { hasCode } from '../errors/errors.js';
import type { HandlerRetries } from './event-transport.js';

/** The result of {@link Timeout.wait} and {@link waitAtMost} when the time runs out first. */
export const TIMED_OUT = Symbol('timed out');

/** A time limit for several promises, one after another, with a single timer. */
export class Timeout {
  readonly #timer: NodeJS.Timeout;
  readonly #endsAt: number;
  #isOver = false;
  #giveUp?: () => void;

  /** @param ms how long it lasts, from now */
  constructor(ms: number) {
    this.#endsAt = Date.now() + ms;
    this.#timer = setTimeout(
      () => {
        this.#isOver = true;
        this.#giveUp?.();
      },
      Math.max(0, ms),
    );
  }

  /** Waits for a promise, but not beyond the time limit. It does not cancel the promise. */
  wait<T>(promise: Promise<T>): Promise<T | typeof TIMED_OUT> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve(TIMED_OUT);
      promise.then(resolve, reject);
      // A promise that has already settled still counts.
      if (this.#isOver) setTimeout(this.#giveUp);
    });
  }

  /** How much time is left, in ms. */
  timeLeftMs(): number {
    return this.#endsAt - Date.now();
  }

  /** Stops the timer. Call it when there is nothing left to wait for. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Does some work with a time limit of `ms`, and stops the timer when the work has ended. */
export async function withTimeout<T>(ms: number, work: (timeout: Timeout) => Promise<T>): Promise<T> {
  const timeout = new Timeout(ms);
  try {
    return await work(timeout);
  } finally {
    timeout.end();
  }
}

/** Waits for a promise, but at most `ms`. It does not cancel the promise. */
export function waitAtMost<T>(promise: Promise<T>, ms: number): Promise<T | typeof TIMED_OUT> {
  return withTimeout(ms, (timeout) => timeout.wait(promise));
}

/** Waits for this many ms. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// How soon a wait notices that it is no longer needed.
const LONGEST_SLEEP_MS = 200;

/** Spaces out what begins, so that at most so many begin per second. Concurrent callers get their turns one after another. */
export class Pace {
  #turn = Promise.resolve();
  #nextAt = 0;

  constructor(private readonly perSecond: number) {}

  /** Resolves when the next one may begin, or soon after the wait is over. */
  next(isOver: () => boolean = () => false): Promise<void> {
    this.#turn = this.#turn.then(() => this.#wait(isOver));
    return this.#turn;
  }

  async #wait(isOver: () => boolean): Promise<void> {
    const intervalMs = 1000 / this.perSecond;
    // At most the interval, however the clock is set.
    let leftMs = Math.min(this.#nextAt - Date.now(), intervalMs);
    while (leftMs > 0 && !isOver()) {
      const ms = Math.min(leftMs, LONGEST_SLEEP_MS);
      await sleep(ms);
      leftMs -= ms;
    }
    this.#nextAt = Date.now() + intervalMs;
  }
}

/** The deadline of one attempt, as a signal for work that can be cancelled. */
export class Deadline {
  #isOver = false;
  #controller?: AbortController;
  #timer?: NodeJS.Timeout;

  /** Whether the deadline passed while the attempt was in progress. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Created on first use, because most handlers do not use it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isOver) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  start(timeoutMs: number): void {
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller?.abort();
    }, timeoutMs);
  }

  /**
   * Does some work, but rejects at the deadline, or at once if the deadline has passed. It does not cancel the work.
   *
   * @param late creates the error to reject with
   */
  async enforce<T>(work: () => Promise<T>, late: () => Error): Promise<T> {
    if (this.#isOver) throw late();
    return new Promise((resolve, reject) => {
      this.signal.addEventListener('abort', () => reject(late()), { once: true });
      work().then(resolve, reject);
    });
  }

  /** The attempt has ended. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}

// The first wait is short, because most database failures are brief.
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;
// This many failures in a row are an outage, and not the fault of one event.
const FAILURES_OF_AN_OUTAGE = 5;

/**
 * Spares a service that is down: once several calls in a row have failed, it lets one call through per back-off and
 * refuses the others with the last error, until a call succeeds.
 */
export class CircuitBreaker {
  #failures = 0;
  #lastError: unknown;
  #backOffMs = 0;
  #nextCallAt = 0;

  /** How long it refuses calls from now on, in ms. 0 if it lets the next one through. */
  get refusesForMs(): number {
    return this.#isOpen ? Math.max(0, this.#nextCallAt - Date.now()) : 0;
  }

  /**
   * Tries again, with back-off and jitter, until a call succeeds or the time is over.
   *
   * @param timeLeftMs how much time is left
   * @throws the error of the last call
   */
  async retryWithin<T>(work: () => Promise<T>, timeLeftMs: () => number): Promise<T> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = longer(waitMs)) {
      try {
        return await this.call(work);
      } catch (error) {
        const pauseMs = this.refusesForMs || withJitter(waitMs);
        if (isOfItsEvent(error) || timeLeftMs() <= pauseMs) throw error;
        await sleep(pauseMs);
      }
    }
  }

  /** @throws the error of the call, or the last error if it refuses the call */
  async call<T>(work: () => Promise<T>): Promise<T> {
    if (this.refusesForMs > 0) throw this.#lastError;
    // The back-off begins with the call, because the call may never be answered.
    if (this.#isOpen) this.#backOff();
    try {
      const result = await work();
      this.#failures = 0;
      this.#backOffMs = 0;
      return result;
    } catch (error) {
      if (!isOfItsEvent(error)) this.failed(error);
      throw error;
    }
  }

  /** Counts a failure, also that of a call that is not answered in time. */
  failed(error: unknown): void {
    this.#lastError = error;
    this.#failures += 1;
    if (this.#failures >= FAILURES_OF_AN_OUTAGE && !this.#isOpen) this.#backOff();
  }

  get #isOpen(): boolean {
    return this.#backOffMs > 0;
  }

  #backOff(): void {
    this.#backOffMs = longer(this.#backOffMs || FIRST_WAIT_MS);
    this.#nextCallAt = Date.now() + withJitter(this.#backOffMs);
  }
}

/** Whether the error is about one event: repeating the call would not help, and the service is not down. */
function isOfItsEvent(error: unknown): boolean {
  return hasCode(error, 'redaction_failed');
}

function longer(waitMs: number): number {
  return Math.min(2 * waitMs, LONGEST_WAIT_MS);
}

function withJitter(waitMs: number): number {
  return waitMs * (0.5 + Math.random() / 2);
}

// So that many attempts do not lead to waits of years.
const LONGEST_RETRY_WAIT_MS = 60 * 60 * 1000;

/**
 * How long to wait before the next attempt, in ms. An exponential wait doubles each time, up to an hour or its first value,
 * whichever is longer. Half of it is random, so that runs that failed together do not come back together.
 *
 * @param failedAttempts how many attempts have failed so far, from 1
 */
export function backoffMs(backoff: NonNullable<HandlerRetries['backoff']>, failedAttempts: number): number {
  if (typeof backoff === 'number') return backoff;
  const { type, delayMs } = backoff;
  if (type === 'fixed') return delayMs;
  const longest = Math.max(LONGEST_RETRY_WAIT_MS, delayMs);
  return Math.ceil(Math.min(delayMs * 2 ** (failedAttempts - 1), longest) * (0.5 + Math.random() / 2));
}
