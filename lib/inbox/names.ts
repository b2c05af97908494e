/** Numbers for names that come again and again, so that each is kept once, and for good: to be used where they are few. */
export class Names<T extends string = string> {
  readonly #numbers = new Map<T, number>();
  readonly #names: T[] = [];

  /** The number of a name, or undefined where it has none. */
  find(name: T): number | undefined {
    return this.#numbers.get(name);
  }

  /** The number of a name, new or not. */
  numberOf(name: T): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }

  nameOf(number: number): T {
    const name = this.#names[number];
    if (name === undefined) throw new RangeError(`no name has the number ${number}`);
    return name;
  }
}
