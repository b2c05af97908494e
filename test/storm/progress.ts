import type { SimulatedAttempt } from 'nestjs-scalekit-webhooks/testing';

const EVERY_MS = 10_000;

/** Counts what was sent and how it was answered, and prints to stderr every ten seconds how far a storm has come. */
export class Progress {
  /** The events that were sent at least once. */
  readonly begun = new Set<string>();
  /** When each event was first answered with a 2xx status, in ms since 1970. */
  readonly acknowledged = new Map<string, number>();
  /** How many requests ended with each status. */
  readonly statuses: Record<string, number> = {};
  requests = 0;
  readonly #startedAt = performance.now();
  #nextAt = EVERY_MS;

  constructor(
    private readonly mode: string,
    private readonly events: number,
  ) {}

  note({ eventId, acknowledged, status }: SimulatedAttempt): void {
    this.requests += 1;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    this.begun.add(eventId);
    if (acknowledged && !this.acknowledged.has(eventId)) this.acknowledged.set(eventId, Date.now());
    const elapsed = performance.now() - this.#startedAt;
    if (elapsed < this.#nextAt) return;
    this.#nextAt = elapsed + EVERY_MS;
    const seconds = Math.round(elapsed / 1000);
    console.error(
      `${this.mode}: ${seconds} s, ${this.requests} requests, ${this.acknowledged.size} of ${this.events} events acknowledged`,
    );
  }
}
