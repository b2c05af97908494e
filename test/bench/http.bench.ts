import { Arena } from './http/arena.js';
import type { LoadReport } from './http/load.js';
import { RECEIVER_NAMES, type ReceiverName } from './http/receivers.js';
import type { Goal, Section } from './section.js';
import { median } from './statistics.js';
import { significant, spread, times } from './text.js';

const CONNECTIONS = 32;
const GUIDE = 'guide, Express' satisfies ReceiverName;
const BY_HAND = 'by hand, Fastify' satisfies ReceiverName;
const OUR_EXPRESS = 'ours, Nest on Express' satisfies ReceiverName;
const OUR_FASTIFY = 'ours, Nest on Fastify' satisfies ReceiverName;
// Before that V8 has not settled on the code of the receivers that have the most of it.
const WARM_UP = { loads: 4, requestsPerConnection: 480 };
const MIN_ROUNDS = 5;

/** Requests per second over loopback, each request a different event. */
export const HTTP: Section = {
  name: 'http',
  async run(thoroughness) {
    const rounds = Math.max(MIN_ROUNDS, Math.round(thoroughness.rounds / 6));
    const requestsPerConnection = thoroughness.roundMs * 20;
    const measured = await measure(rounds, requestsPerConnection);
    const against = (name: ReceiverName, other: ReceiverName) =>
      median(
        reportsOf(measured, name).map(
          ({ requestsPerSecond }, round) =>
            requestsPerSecond / (reportsOf(measured, other)[round]?.requestsPerSecond ?? Number.NaN),
        ),
      );
    const rows = RECEIVER_NAMES.map((name) => {
      const reports = reportsOf(measured, name);
      const perSecond = reports.map(({ requestsPerSecond }) => requestsPerSecond);
      return [
        name,
        significant(median(perSecond)),
        spread({ samples: perSecond }),
        significant(median(reports.map(({ p99Ms }) => p99Ms))),
        times(against(name, GUIDE)),
      ];
    });
    const goals: Goal[] = [
      {
        figure: 'http, ours on Express against the guide’s handler',
        measured: against(OUR_EXPRESS, GUIDE),
        atLeast: 1,
      },
      {
        figure: 'http, ours on Fastify against the guide’s handler',
        measured: against(OUR_FASTIFY, GUIDE),
        atLeast: 2.2,
      },
      {
        figure: 'http, ours on Fastify against a hand-written Fastify route',
        measured: against(OUR_FASTIFY, BY_HAND),
        atLeast: 0.85,
      },
    ];
    const columns = ['receiver', 'requests/s', 'spread', 'p99 ms', 'against the guide'];
    const title = `HTTP with ${CONNECTIONS} connections, typical event, median of ${rounds} rounds`;
    const bars = RECEIVER_NAMES.map((name) => ({ label: name, value: against(name, GUIDE) }));
    return { tables: [{ title, columns, rows }], goals, bars };
  },
};

async function measure(rounds: number, requestsPerConnection: number): Promise<Measured> {
  const arena = await Arena.open();
  const measured = new Map<ReceiverName, LoadReport[]>(RECEIVER_NAMES.map((name) => [name, []]));
  const { loads, requestsPerConnection: warmUpRequests } = WARM_UP;
  for (let load = 0; load < loads; load += 1) {
    for (const name of RECEIVER_NAMES) {
      await arena.load(name, { connections: CONNECTIONS, requestsPerConnection: warmUpRequests });
    }
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, reports] of measured) {
      reports.push(await arena.load(name, { connections: CONNECTIONS, requestsPerConnection }));
    }
  }
  await arena.close();
  return measured;
}

type Measured = ReadonlyMap<ReceiverName, readonly LoadReport[]>;

function reportsOf(measured: Measured, name: ReceiverName): readonly LoadReport[] {
  return measured.get(name) ?? [];
}
