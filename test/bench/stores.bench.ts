import { openDispatcher } from './dispatcher.app.js';
import { distinctEvents } from './distinct-events.js';
import type { Section } from './section.js';
import { median, quantile } from './statistics.js';
import { BullMqRivals } from './stores/bullmq.rivals.js';
import { PostgresRivals } from './stores/postgres.rivals.js';
import { RedisRivals } from './stores/redis.rivals.js';
import type { StoreRivals } from './stores/rivals.js';
import { SqliteRivals } from './stores/sqlite.rivals.js';
import { significant, spread, times } from './text.js';

const MIN_ROUNDS = 5;
const WARM_UP_ROUNDS = 10;
const DELIVERIES = 50;

/** What one way took for each delivery of each round, in ms. */
type Rounds = readonly (readonly number[])[];

/** A delivery with each inbox that lasts and with the queue, against bare writes on the same connection. */
export const STORES: Section = {
  name: 'stores',
  async run(thoroughness) {
    const rounds = Math.max(MIN_ROUNDS, thoroughness.rounds);
    const postgres = [false, true].map((isPrepared) => new PostgresRivals({ isPrepared }));
    const rivals = [new SqliteRivals(), ...postgres, new RedisRivals(), new BullMqRivals()];
    const rows: string[][] = [];
    const goals = [];
    for (const each of rivals) {
      const { ours, bare } = await measure(each, rounds);
      const share = median(ours.map((latencies, round) => sum(bare[round] ?? []) / sum(latencies)));
      for (const [name, latencies] of [
        [each.name, ours],
        [each.bareName, bare],
      ] as const) {
        const all = latencies.flat();
        rows.push([
          name,
          significant((DELIVERIES * 1000) / median(latencies.map(sum))),
          spread({ samples: latencies.map(sum) }),
          significant(median(all)),
          significant(quantile(all, 0.99)),
          latencies === ours ? times(share) : '',
        ]);
      }
      if (!(each instanceof PostgresRivals)) continue;
      const all = ours.flat();
      goals.push(
        { figure: `${each.name}, against ${each.bareName}`, measured: share, atLeast: 0.4 },
        {
          figure: `${each.name}, p99 against the median`,
          measured: quantile(all, 0.99) / median(all),
          atMost: 3,
        },
      );
    }
    const columns = ['inbox', 'deliveries/s', 'spread', 'median ms', 'p99 ms', 'against bare writes'];
    return { tables: [{ title: 'Stores, one connection, one delivery at a time', columns, rows }], goals };
  },
};

async function measure(rivals: StoreRivals, rounds: number): Promise<{ ours: Rounds; bare: Rounds }> {
  const app = await openDispatcher(await rivals.open());
  const nextEvent = distinctEvents();
  const [ours, bare]: number[][][] = [[], []];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    const [ourLatencies, bareLatencies] = [
      await latenciesOf(() => app.deliver(nextEvent())),
      await latenciesOf(() => rivals.writeBare(nextEvent())),
    ];
    if (round < 0) continue;
    ours?.push(ourLatencies);
    bare?.push(bareLatencies);
  }
  await app.close();
  await rivals.close();
  return { ours: ours ?? [], bare: bare ?? [] };
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
