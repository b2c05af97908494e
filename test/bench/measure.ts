/** One of several ways to do the same thing. */
export interface Contender {
  readonly name: string;
  run(): unknown;
}

/** How long one run of a contender took in each round, in ns. */
export interface Timing {
  readonly name: string;
  readonly samples: readonly number[];
}

/** How long to measure. */
export interface RoundOptions {
  readonly rounds: number;
  /** About how long each contender runs in each round, in ms. */
  readonly roundMs: number;
}

// How long each contender runs before it is timed, as a multiple of `roundMs`. V8 needs that long to optimize the larger ones.
const WARM_UP_ROUNDS = 100;

/** Runs the contenders in turns, so that whatever slows the machine down for a while affects all of them. */
export async function compare(
  contenders: readonly Contender[],
  { rounds, roundMs }: RoundOptions,
): Promise<readonly Timing[]> {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    for (const contender of contenders) await runFor(contender, roundMs);
  }
  const measured: { contender: Contender; times: number; samples: number[] }[] = [];
  for (const contender of contenders) {
    measured.push({ contender, times: await timesWithin(contender, roundMs), samples: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { contender, times, samples } of measured) {
      samples.push((await timeOf(contender, times)) / times);
    }
  }
  return measured.map(({ contender, samples }) => ({ name: contender.name, samples }));
}

/** The timing of the contender with this name. */
export function timingOf(timings: readonly Timing[], name: string): Timing {
  const timing = timings.find((candidate) => candidate.name === name);
  if (!timing) throw new Error(`There is no contender named ${name}`);
  return timing;
}

/** How many times as long one timing is as another: the median of the ratios of each round. */
export function ratio(timing: Timing, to: Timing): number {
  return median(timing.samples.map((sample, round) => sample / (to.samples[round] ?? Number.NaN)));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the given share of all values lies, interpolated between its neighbors. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(place)] ?? Number.NaN;
  const upper = sorted[Math.ceil(place)] ?? Number.NaN;
  return lower + (upper - lower) * (place - Math.floor(place));
}

/** A timing's median, in µs. */
export function microseconds({ samples }: Timing): string {
  return significant(median(samples) / 1000);
}

/** Half the interquartile range, as a share of the median. */
export function spread(samples: readonly number[]): string {
  const half = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2;
  return `± ${((half / median(samples)) * 100).toFixed(0)} %`;
}

export function times(value: number): string {
  return `${value.toFixed(2)} ×`;
}

/** Three significant digits, without an exponent. */
export function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}

async function runFor(contender: Contender, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) await repeat(contender, 1);
}

/** How many runs fit into a round. */
async function timesWithin(contender: Contender, roundMs: number): Promise<number> {
  let times = 1;
  for (;;) {
    const start = performance.now();
    await repeat(contender, times);
    const elapsedMs = performance.now() - start;
    if (elapsedMs > roundMs / 4) return Math.max(1, Math.round((times * roundMs) / elapsedMs));
    times *= 4;
  }
}

/** In ns. The time to collect a contender's garbage is its own: otherwise the next contender would pay for it. */
async function timeOf(contender: Contender, times: number): Promise<number> {
  collectYoungGarbage();
  const start = process.hrtime.bigint();
  await repeat(contender, times);
  collectYoungGarbage();
  return Number(process.hrtime.bigint() - start);
}

async function repeat({ run }: Contender, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const result = run();
    if (result instanceof Promise) await result;
  }
}

/** Needs `--expose-gc`. */
function collectYoungGarbage(): void {
  globalThis.gc?.({ type: 'minor' });
}
