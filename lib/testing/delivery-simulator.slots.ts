/** Lets so many in at once; the others wait in their order. */
export class Slots {
  readonly #waiting = new Set<() => void>();

  constructor(private free: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((enter) => this.#waiting.add(enter));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    const { value: enter } = this.#waiting.values().next();
    if (!enter) {
      this.free += 1;
      return;
    }
    this.#waiting.delete(enter);
    enter();
  }
}
