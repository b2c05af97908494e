/** Lets so many in at once; the others wait in their order, those that were in before ahead of the new. */
export class Slots {
  readonly #new = new Set<() => void>();
  readonly #returning = new Set<() => void>();

  constructor(private free: number) {}

  async run<T>(isNew: boolean, work: () => Promise<T>): Promise<T> {
    const waiting = isNew ? this.#new : this.#returning;
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((enter) => waiting.add(enter));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    const waiting = this.#returning.size > 0 ? this.#returning : this.#new;
    const { value: enter } = waiting.values().next();
    if (!enter) {
      this.free += 1;
      return;
    }
    waiting.delete(enter);
    enter();
  }
}
