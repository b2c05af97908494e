/** What the conformance suite needs of a test runner: Jest and Vitest have it, and others with the `expect` package. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  beforeEach(body: () => Promise<void>): unknown;
  afterEach(body: () => Promise<void>): unknown;
  readonly expect: ConformanceExpect;
}

/** Jest's `expect`, as far as the suite uses it. */
export interface ConformanceExpect {
  (actual: unknown): ConformanceMatchers;
  any(type: typeof Number | typeof Date): unknown;
}

/** What the suite says of a value. */
export interface ConformanceMatchers {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toMatchObject(expected: object): void;
  toContain(expected: unknown): void;
  toHaveLength(length: number): void;
  toBeDefined(): void;
  toBeUndefined(): void;
  toBeGreaterThan(limit: number): void;
  toBeLessThanOrEqual(limit: number): void;
  readonly not: Pick<ConformanceMatchers, 'toContain'>;
  readonly resolves: { toBeUndefined(): Promise<void> };
}
