import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Arena, type RunningReceiver } from './http/arena.js';
import type { LoadReport } from './http/load.js';
import { RECEIVER_NAMES, type ReceiverName } from './http/receiver.js';
import { median, type RoundOptions, significant, spread, times } from './measure.js';
import type { Figure, SectionResult } from './section.js';

const CONNECTIONS = 32;
const GUIDE = 'guide, Express' satisfies ReceiverName;
const OUR_EXPRESS = 'ours, Nest on Express' satisfies ReceiverName;
const OUR_FASTIFY = 'ours, Nest on Fastify' satisfies ReceiverName;
const OBSERVED = 'ours, Fastify, OpenTelemetry' satisfies ReceiverName;
const OUR_RECEIVERS = [OUR_EXPRESS, OUR_FASTIFY] as const;
// V8 needs that many requests to optimize the receivers with the most code.
const WARM_UP = { loads: 4, requestsPerConnection: 480 };
const MIN_ROUNDS = 5;
const COLUMNS = ['receiver', 'requests/s', 'spread', 'p99 ms'];

/** Requests per second over the loopback interface. Each request carries a different event. */
export async function run({ rounds, roundMs }: RoundOptions): Promise<SectionResult> {
  const arena = await Arena.open();
  const receivers: RunningReceiver[] = [];
  for (const name of RECEIVER_NAMES) receivers.push(await arena.start(name));
  const measured = await measure(arena, receivers, { rounds: rounds / 6, roundMs });
  await arena.close();

  const perSecond = (name: ReceiverName) =>
    measured.filter(({ receiver }) => receiver.name === name).flatMap(requestsPerSecond);
  const relative = (name: ReceiverName, to: ReceiverName) => {
    const others = perSecond(to);
    return median(perSecond(name).map((value, round) => value / (others[round] ?? Number.NaN)));
  };
  const figures: Figure[] = [
    {
      name: 'http, ours on Express, relative to the guide’s handler',
      measured: relative(OUR_EXPRESS, GUIDE),
      atLeast: 1,
    },
    {
      name: 'http, ours on Fastify, relative to the guide’s handler',
      measured: relative(OUR_FASTIFY, GUIDE),
      atLeast: 2.2,
    },
    {
      name: 'http, ours on Fastify, relative to a hand-written Fastify route',
      measured: relative(OUR_FASTIFY, 'by hand, Fastify'),
    },
    {
      name: 'http, ours on Fastify with OpenTelemetry, relative to ours without',
      measured: relative(OBSERVED, OUR_FASTIFY),
      atLeast: 0.9,
    },
  ];
  const rows = measured.map((each) => {
    const { name } = each.receiver;
    return [name, ...cells(each), times(relative(name, GUIDE))];
  });
  const title = `HTTP with ${CONNECTIONS} connections, typical event, median of ${roundsOf(measured)} rounds`;
  return {
    tables: [{ title, columns: [...COLUMNS, 'relative to the guide'], rows }],
    figures,
    bars: RECEIVER_NAMES.map((name) => ({ label: name, value: relative(name, GUIDE) })),
  };
}

/**
 * Compares this build with that of another checkout, in one run. Both use the dependencies of this checkout.
 *
 * @param checkout a directory where `npm run build` ran
 */
export async function compareBuilds(
  checkout: string,
  { rounds, roundMs }: RoundOptions,
): Promise<SectionResult> {
  // From a copy in this checkout, Node finds this checkout's node_modules.
  const copy = new URL('./other-build/', import.meta.url);
  await rm(copy, { recursive: true, force: true });
  await cp(join(checkout, 'dist', 'esm'), copy, { recursive: true });
  const otherBuild = new URL('index.js', copy).href;

  const arena = await Arena.open();
  const receivers: RunningReceiver[] = [];
  for (const name of OUR_RECEIVERS) {
    receivers.push(await arena.start(name), await arena.start(name, otherBuild));
  }
  const measured = await measure(arena, receivers, { rounds: rounds / 2, roundMs });
  await arena.close();

  const rows: string[][] = [];
  const figures: Figure[] = [];
  for (const name of OUR_RECEIVERS) {
    const [ours, other] = measured.filter(({ receiver }) => receiver.name === name);
    if (!ours || !other) continue;
    rows.push([`${name}, this build`, ...cells(ours)], [`${name}, other build`, ...cells(other)]);
    const ratio = median(requestsPerSecond(ours)) / median(requestsPerSecond(other));
    figures.push({ name: `${name}, relative to the other build`, measured: ratio, atLeast: 0.9 });
  }
  const title = `HTTP with ${CONNECTIONS} connections, against ${checkout}, median of ${roundsOf(measured)} rounds`;
  return { tables: [{ title, columns: COLUMNS, rows }], figures };
}

interface Measured {
  readonly receiver: RunningReceiver;
  /** One for each round. */
  readonly reports: LoadReport[];
}

/** Loads the receivers in turns. */
async function measure(
  arena: Arena,
  receivers: readonly RunningReceiver[],
  { rounds, roundMs }: RoundOptions,
): Promise<readonly Measured[]> {
  for (let load = 0; load < WARM_UP.loads; load += 1) {
    for (const receiver of receivers) {
      const { requestsPerConnection } = WARM_UP;
      await arena.load(receiver, { connections: CONNECTIONS, requestsPerConnection });
    }
  }
  const measured: Measured[] = receivers.map((receiver) => ({ receiver, reports: [] }));
  for (let round = 0; round < Math.max(MIN_ROUNDS, Math.round(rounds)); round += 1) {
    // Backward in every other round, so that no receiver always follows the same one.
    for (const { receiver, reports } of round % 2 === 0 ? measured : measured.toReversed()) {
      const load = { connections: CONNECTIONS, requestsPerConnection: roundMs * 20 };
      reports.push(await arena.load(receiver, load));
    }
  }
  return measured;
}

function requestsPerSecond({ reports }: Measured): number[] {
  return reports.map((report) => report.requestsPerSecond);
}

function cells(measured: Measured): string[] {
  const perSecond = requestsPerSecond(measured);
  const p99Ms = measured.reports.map((report) => report.p99Ms);
  return [significant(median(perSecond)), spread(perSecond), significant(median(p99Ms))];
}

function roundsOf(measured: readonly Measured[]): number {
  return measured[0]?.reports.length ?? 0;
}
