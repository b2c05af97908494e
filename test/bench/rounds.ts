import { median } from './statistics.js';

/** One of several ways to do the same. */
export interface Contender {
  readonly name: string;
  run(): unknown;
}

/** How long one run of a contender took, in ns, in each round. */
export interface Timing {
  readonly name: string;
  readonly samples: readonly number[];
}

/** How thoroughly contenders are compared. */
export interface Thoroughness {
  readonly rounds: number;
  /** About how long each contender runs in each round, in ms. */
  readonly roundMs: number;
}

// How long each contender runs before it is timed, as a multiple of `roundMs`: V8 takes its time to settle on its code.
const WARM_UP_ROUNDS = 100;

/** Runs contenders in turns, so that what slows the machine for a while slows all of them. */
export async function compare(
  contenders: readonly Contender[],
  { rounds, roundMs }: Thoroughness,
): Promise<readonly Timing[]> {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    for (const contender of contenders) await runFor(contender, roundMs);
  }
  const entrants: { contender: Contender; times: number; samples: number[] }[] = [];
  for (const contender of contenders) {
    entrants.push({ contender, times: await timesWithin(contender, roundMs), samples: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const { contender, times, samples } of entrants) {
      samples.push((await timeOf(contender, times)) / times);
    }
  }
  return entrants.map(({ contender, samples }) => ({ name: contender.name, samples }));
}

/** The timing of one contender. */
export function timingOf(timings: readonly Timing[], name: string): Timing {
  const timing = timings.find((candidate) => candidate.name === name);
  if (!timing) throw new Error(`no contender is called ${name}`);
  return timing;
}

/** How many times as long one takes as another: the median of what each round says. */
export function ratio(timing: Timing, to: Timing): number {
  return median(timing.samples.map((sample, round) => sample / (to.samples[round] ?? Number.NaN)));
}

async function runFor(contender: Contender, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) await repeat(contender, 1);
}

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

/** In ns. Each contender sweeps up after itself: else one would pay for what another has left. */
async function timeOf(contender: Contender, times: number): Promise<number> {
  sweepUp();
  const start = process.hrtime.bigint();
  await repeat(contender, times);
  sweepUp();
  return Number(process.hrtime.bigint() - start);
}

async function repeat({ run }: Contender, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const result = run();
    if (result instanceof Promise) await result;
  }
}

/** Collects young garbage. Needs `--expose-gc`. */
function sweepUp(): void {
  globalThis.gc?.({ type: 'minor' });
}
