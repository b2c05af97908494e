import { openDispatcher } from './dispatcher-app.js';
import { distinctEvents } from './events.js';
import { median, quantile, type RoundOptions, significant, spread, times } from './measure.js';
import type { Figure, SectionResult } from './section.js';
import { COMPARISONS, type StoreComparison } from './store-comparisons.js';

const MIN_ROUNDS = 5;
const WARM_UP_ROUNDS = 10;
const DELIVERIES = 50;

/** For each round, how long each delivery took, in ms. */
type Rounds = readonly (readonly number[])[];

/** A delivery with each durable inbox and with the queue, compared with the bare writes on the same connection. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const rows: string[][] = [];
  const figures: Figure[] = [];
  for (const newComparison of COMPARISONS) {
    const comparison = newComparison();
    const { name, bareName, hasGoals } = comparison;
    const { ours, bare } = await measure(comparison, Math.max(MIN_ROUNDS, options.rounds));
    const share = median(ours.map((latencies, round) => sum(bare[round] ?? []) / sum(latencies)));
    rows.push([name, ...cells(ours), times(share)], [bareName, ...cells(bare), '']);
    if (!hasGoals) continue;
    const all = ours.flat();
    figures.push(
      { name: `${name}, relative to ${bareName}`, measured: share, atLeast: 0.4 },
      {
        name: `${name}, p99 relative to the median`,
        measured: quantile(all, 0.99) / median(all),
        atMost: 3,
      },
    );
  }
  const columns = ['inbox', 'deliveries/s', 'spread', 'median ms', 'p99 ms', 'relative to bare writes'];
  return { tables: [{ title: 'Stores, one connection, one delivery at a time', columns, rows }], figures };
}

function cells(rounds: Rounds): string[] {
  const all = rounds.flat();
  return [
    significant((DELIVERIES * 1000) / median(rounds.map(sum))),
    spread(rounds.map(sum)),
    significant(median(all)),
    significant(quantile(all, 0.99)),
  ];
}

async function measure(comparison: StoreComparison, rounds: number): Promise<{ ours: Rounds; bare: Rounds }> {
  const app = await openDispatcher(await comparison.open());
  const nextEvent = distinctEvents();
  const ours: number[][] = [];
  const bare: number[][] = [];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const ourLatencies = await latenciesOf(() => app.deliver(nextEvent()));
    const bareLatencies = await latenciesOf(() => comparison.writeBare(nextEvent()));
    if (round < 0) continue;
    ours.push(ourLatencies);
    bare.push(bareLatencies);
  }
  await app.close();
  await comparison.close();
  return { ours, bare };
}

async function latenciesOf(run: () => Promise<unknown>): Promise<number[]> {
  const latencies: number[] = [];
  for (let delivery = 0; delivery < DELIVERIES; delivery += 1) {
    const start = performance.now();
    await run();
    latencies.push(performance.now() - start);
  }
  return latencies;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
