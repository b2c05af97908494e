const EVERY_MS = 60 * 60 * 1000;

/** Forgets old events now and then, beside the work that reminds it. */
export class PostgresRetention {
  #dueAt = Number.NEGATIVE_INFINITY;
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly forget: () => Promise<unknown>) {}

  /** Starts a round when none was started within the hour. Never rejects, and nobody needs to wait for it. */
  remind(): void {
    const now = performance.now();
    if (now < this.#dueAt) return;
    this.#dueAt = now + EVERY_MS;
    // What one round could not forget, the next one will; claims tell of a database that is down.
    this.#running = this.forget().catch(() => {});
  }

  /** Resolves when no round is in progress. */
  async rest(): Promise<void> {
    await this.#running;
  }
}
