/** Counts what a run finds. */
export class Tally {
  readonly #statuses = new Map<string, number>();
  readonly #failures = new Map<string, { count: number; readonly first?: number }>();

  constructor(private readonly seed: number) {}

  count(status: number | 'none'): void {
    this.#statuses.set(String(status), (this.#statuses.get(String(status)) ?? 0) + 1);
  }

  /** @param first the number of the request that repeats it */
  fail(problem: string, first?: number): void {
    const failure = this.#failures.get(problem);
    if (failure) failure.count += 1;
    else this.#failures.set(problem, { count: 1, ...(first !== undefined && { first }) });
  }

  get statuses(): string {
    return [...this.#statuses]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([status, count]) => `${status}: ${count}`)
      .join(', ');
  }

  get failed(): number {
    return [...this.#failures.values()].reduce((total, { count }) => total + count, 0);
  }

  /** One line for each problem. */
  get failures(): string[] {
    return Array.from(this.#failures, ([problem, { count, first }]) => {
      const repeat =
        first === undefined ? '' : `; to repeat it, use FUZZ_SEED=${this.seed} FUZZ_ONLY=${first}`;
      return `${count} × ${problem}${repeat}`;
    });
  }
}
