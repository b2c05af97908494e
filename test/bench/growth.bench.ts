import type { Type } from '@nestjs/common';
import { RunLease } from '../../lib/dispatch/claimed-run.js';
import { MemoryInboxStore, OnScalekitEvent, unlistedScalekitEvent } from '../../lib/index.js';
import { type DispatcherApp, openDispatcher } from './dispatcher.app.js';
import { distinctEvents } from './distinct-events.js';
import { TYPICAL_TYPE } from './events.js';
import { Arena } from './http/arena.js';
import { type Contender, compare, ratio, type Thoroughness, type Timing } from './rounds.js';
import type { BenchTable, Goal, Section } from './section.js';
import { median } from './statistics.js';
import { microseconds, significant, spread, times } from './text.js';

const HANDLERS = [1, 100, 10_000];
const METHODS_OF_A_CLASS = 1000;
const BODY_KILOBYTES = [1, 10, 100, 1000];
const REMEMBERED = [1000, 10_000, 100_000, 1_000_000];
const CONNECTIONS = [1, 8, 64, 512];
const REQUESTS = 4096;
const FEW = 1000;

/** What grows with handlers, bodies, remembered events and connections, and how fast. */
export const GROWTH: Section = {
  name: 'growth',
  async run(thoroughness) {
    const handlers = await growth('Handlers', 'handlers', HANDLERS, handlersContender, thoroughness);
    const bodies = await growth('Bodies', 'KB', BODY_KILOBYTES, bodyContender, thoroughness);
    const remembered = await growth('Remembered events', 'events', REMEMBERED, claimContender, thoroughness);
    const bytes = await bytesPerEvent();
    const goals: Goal[] = [
      { figure: '10,000 handlers against 1, time of a delivery', measured: handlers.whole, atMost: 1.1 },
      {
        figure: '1,000,000 remembered events against 1,000, time of a claim',
        measured: remembered.whole,
        atMost: 1.2,
      },
      { figure: 'memory inbox, an event', measured: bytes, atMost: 300, unit: 'bytes' },
    ];
    return {
      tables: [handlers.table, bodies.table, remembered.table, await connections(thoroughness)],
      goals,
    };
  },
};

interface Growing extends Contender {
  close?(): Promise<void>;
}

/** The same at several sizes: a table with the factor from step to step, and the factor from the first to the last. */
async function growth(
  title: string,
  unit: string,
  sizes: readonly number[],
  contenderOf: (size: number) => Promise<Growing>,
  thoroughness: Thoroughness,
): Promise<{ readonly table: BenchTable; readonly whole: number }> {
  const contenders: Growing[] = [];
  for (const size of sizes) contenders.push(await contenderOf(size));
  const timings = await compare(contenders, thoroughness);
  for (const contender of contenders) await contender.close?.();
  const factor = (timing: Timing, other: Timing | undefined) => (other ? ratio(timing, other) : 1);
  const rows = timings.map((timing, step) => [
    timing.name,
    microseconds(timing),
    spread(timing),
    step === 0 ? '' : times(factor(timing, timings[step - 1])),
  ]);
  const last = timings.at(-1);
  return {
    table: { title, columns: [unit, 'µs', 'spread', 'step'], rows },
    whole: last ? factor(last, timings[0]) : Number.NaN,
  };
}

async function handlersContender(count: number): Promise<Growing> {
  const app = await openDispatcher(
    { inbox: new MemoryInboxStore({ maxEvents: FEW }) },
    otherHandlers(count - 1),
  );
  return delivering(String(count), app, distinctEvents());
}

async function bodyContender(kilobytes: number): Promise<Growing> {
  const app = await openDispatcher({ inbox: new MemoryInboxStore({ maxEvents: FEW }) });
  return delivering(String(kilobytes), app, distinctEvents((kilobytes - 1) * 1000));
}

function delivering(name: string, app: DispatcherApp, nextBody: () => Buffer): Growing {
  return { name, run: () => app.deliver(nextBody()), close: () => app.close() };
}

/** Classes with handlers of other events. */
function otherHandlers(count: number): Type[] {
  const classes = Math.ceil(count / METHODS_OF_A_CLASS);
  return Array.from({ length: classes }, (_, index) => {
    const methods = Math.min(METHODS_OF_A_CLASS, count - index * METHODS_OF_A_CLASS);
    const named = { [`Handlers${index}`]: class {} }[`Handlers${index}`] ?? class {};
    for (let method = 0; method < methods; method += 1) {
      const descriptor = { value: () => undefined };
      Object.defineProperty(named.prototype, `handle${method}`, descriptor);
      OnScalekitEvent(unlistedScalekitEvent(`bench.created_${index}_${method}`))(
        named.prototype,
        `handle${method}`,
        descriptor,
      );
    }
    return named;
  });
}

/** A claim and its settlement, of an event that is new, while so many are remembered. */
async function claimContender(remembered: number): Promise<Growing> {
  const inbox = new MemoryInboxStore({ maxEvents: remembered });
  const remember = rememberer(inbox);
  for (let event = 0; event < remembered; event += 1) await remember();
  return { name: String(remembered), run: remember, close: () => inbox.close() };
}

async function bytesPerEvent(): Promise<number> {
  const events = 1_000_000;
  const inbox = new MemoryInboxStore({ maxEvents: events });
  const remember = rememberer(inbox);
  await remember();
  const before = heapUsed();
  for (let event = 0; event < events; event += 1) await remember();
  const bytes = (heapUsed() - before) / events;
  // It must be reachable until here.
  await inbox.close();
  return bytes;
}

function rememberer(inbox: MemoryInboxStore): () => Promise<void> {
  let number = 0;
  return async () => {
    number += 1;
    const digits = String(number).padStart(18, '0');
    // Strings of their own, as those of a parsed body are.
    const [eventId, type, occurredAt] = JSON.parse(
      `["evt_${digits}","${TYPICAL_TYPE}","2026-01-01T00:00:00.${digits.slice(-3)}Z"]`,
    );
    const lease = new RunLease(9000);
    const key = { endpoint: 'default', eventId };
    await inbox.claim(
      { ...key, type, occurredAt, payload: Buffer.alloc(0) },
      ['TypicalHandler.handle'],
      lease,
    );
    await inbox.settle(key, [{ handlerId: 'TypicalHandler.handle', state: 'done' }], lease);
  };
}

/** Memory in use, outside of V8's heap included. Needs `--expose-gc`. */
function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed: inHeap, external } = process.memoryUsage();
  return inHeap + external;
}

async function connections({ rounds }: Thoroughness): Promise<BenchTable> {
  const arena = await Arena.open(['ours, Nest on Fastify']);
  const rows: string[][] = [];
  for (const count of CONNECTIONS) {
    const load = { connections: count, requestsPerConnection: Math.ceil(REQUESTS / count) };
    const perSecond: number[] = [];
    for (let round = 0; round < Math.max(3, rounds / 10); round += 1) {
      perSecond.push((await arena.load('ours, Nest on Fastify', load)).requestsPerSecond);
    }
    const before = Number(rows.at(-1)?.[1]);
    const step = rows.length === 0 ? '' : times(median(perSecond) / before);
    rows.push([String(count), significant(median(perSecond)), spread({ samples: perSecond }), step]);
  }
  await arena.close();
  return {
    title: 'Connections, ours on Fastify',
    columns: ['connections', 'requests/s', 'spread', 'step'],
    rows,
  };
}
