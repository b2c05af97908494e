import type { Type } from '@nestjs/common';
import { MemoryInboxStore, OnScalekitEvent, unlistedScalekitEvent } from '../../lib/index.js';
import { type DispatcherApp, openDispatcher } from './dispatcher-app.js';
import { bodyOf, distinctEvents } from './events.js';
import { Arena } from './http/arena.js';
import { TYPICAL_TYPE } from './http/receiver.js';
import {
  type Contender,
  compare,
  median,
  microseconds,
  type RoundOptions,
  ratio,
  significant,
  spread,
  times,
} from './measure.js';
import type { BenchTable, Figure, SectionResult } from './section.js';

const HANDLERS = [1, 100, 10_000];
const METHODS_PER_CLASS = 1000;
const BODY_KILOBYTES = [1, 10, 100, 1000];
/** The default bound of the memory inbox. */
const MOST_REMEMBERED = 100_000;
const REMEMBERED = [1000, 10_000, MOST_REMEMBERED];
const CONNECTIONS = [1, 8, 64, 512];
const REQUESTS = 4096;

/** How time and memory grow with handlers, bodies, remembered events and connections. */
export async function run(options: RoundOptions): Promise<SectionResult> {
  const handlers = await growth('Handlers', 'handlers', HANDLERS, handlersContender, options);
  const bodies = await growth('Bodies', 'KB', BODY_KILOBYTES, bodyContender, options);
  const remembered = await growth('Remembered events', 'events', REMEMBERED, claimContender, options);
  const figures: Figure[] = [
    { name: '10,000 handlers relative to 1, time of a delivery', measured: handlers.total, atMost: 1.1 },
    {
      name: 'memory inbox, 100,000 events relative to 1,000, time of a claim',
      measured: remembered.total,
      atMost: 1.3,
    },
    { name: 'memory inbox, 100,000 events', measured: await megabytesOfFullInbox(), atMost: 50, unit: 'MB' },
  ];
  const tables = [handlers.table, bodies.table, remembered.table, await connectionsTable(options)];
  return { tables, figures };
}

interface Growing extends Contender {
  close(): Promise<void>;
}

/** Measures the same thing at several sizes. `total` is the ratio of the last to the first. */
async function growth(
  title: string,
  unit: string,
  sizes: readonly number[],
  contenderOf: (size: number) => Promise<Growing>,
  options: RoundOptions,
): Promise<{ readonly table: BenchTable; readonly total: number }> {
  const contenders: Growing[] = [];
  for (const size of sizes) contenders.push(await contenderOf(size));
  const timings = await compare(contenders, options);
  for (const contender of contenders) await contender.close();
  const rows = timings.map((timing, index) => {
    const before = timings[index - 1];
    return [
      timing.name,
      microseconds(timing),
      spread(timing.samples),
      before ? times(ratio(timing, before)) : '',
    ];
  });
  const [first, last] = [timings[0], timings.at(-1)];
  return {
    table: { title, columns: [unit, 'µs', 'spread', 'step'], rows },
    total: first && last ? ratio(last, first) : Number.NaN,
  };
}

async function handlersContender(count: number): Promise<Growing> {
  const inbox = new MemoryInboxStore({ maxEvents: 1000 });
  const app = await openDispatcher({ inbox }, handlersOfOtherEvents(count - 1));
  return delivering(String(count), app, distinctEvents());
}

async function bodyContender(kilobytes: number): Promise<Growing> {
  const app = await openDispatcher({ inbox: new MemoryInboxStore({ maxEvents: 1000 }) });
  return delivering(String(kilobytes), app, distinctEvents((kilobytes - 1) * 1000));
}

function delivering(name: string, app: DispatcherApp, nextBody: () => Buffer): Growing {
  return { name, run: () => app.deliver(nextBody()), close: () => app.close() };
}

function handlersOfOtherEvents(count: number): Type[] {
  return Array.from({ length: Math.ceil(count / METHODS_PER_CLASS) }, (_, index) => {
    const className = `Handlers${index}`;
    const handlers = { [className]: class {} }[className] ?? class {};
    const methods = Math.min(METHODS_PER_CLASS, count - index * METHODS_PER_CLASS);
    for (let method = 0; method < methods; method += 1) {
      const name = `handle${method}`;
      const descriptor = { value: () => undefined };
      Object.defineProperty(handlers.prototype, name, descriptor);
      const type = unlistedScalekitEvent(`bench.created_${index}_${method}`);
      OnScalekitEvent(type)(handlers.prototype, name, descriptor);
    }
    return handlers;
  });
}

/** Claims and settles a new event in a memory inbox that is full, so that each claim also forgets an event. */
async function claimContender(maxEvents: number): Promise<Growing> {
  const inbox = new MemoryInboxStore({ maxEvents });
  const handleNext = handlerOfNewEvents(inbox);
  for (let event = 0; event < maxEvents; event += 1) await handleNext();
  return { name: String(maxEvents), run: handleNext, close: () => inbox.close() };
}

/** Of an inbox that remembers as many deliveries as it may. */
async function megabytesOfFullInbox(): Promise<number> {
  const app = await openDispatcher({ inbox: new MemoryInboxStore() });
  const nextBody = distinctEvents();
  await app.deliver(nextBody());
  const before = bytesInUse();
  for (let event = 1; event < MOST_REMEMBERED; event += 1) await app.deliver(nextBody());
  const bytes = bytesInUse() - before;
  await app.close();
  return bytes / 1e6;
}

function handlerOfNewEvents(inbox: MemoryInboxStore): () => Promise<void> {
  const payload = bodyOf(TYPICAL_TYPE);
  let number = 0;
  return async () => {
    number += 1;
    const digits = String(number).padStart(18, '0');
    // Parsed from JSON, as in a delivery: each string then has memory of its own.
    const [eventId, type, occurredAt] = JSON.parse(
      `["evt_${digits}","${TYPICAL_TYPE}","2026-01-01T00:00:00.${digits.slice(-3)}Z"]`,
    );
    const key = { endpoint: 'default', eventId };
    const lease = { token: `bench-${number}`, durationMs: 18_000 };
    await inbox.claim({ ...key, type, occurredAt, payload }, ['TypicalHandler.handle'], lease);
    await inbox.settle(key, [{ handlerId: 'TypicalHandler.handle', state: 'done' }], lease);
  };
}

/** On V8's heap and in array buffers. Needs `--expose-gc`. */
function bytesInUse(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function connectionsTable({ rounds }: RoundOptions): Promise<BenchTable> {
  const arena = await Arena.open();
  const receiver = await arena.start('ours, Nest on Fastify');
  const rows: string[][] = [];
  let before: number | undefined;
  for (const connections of CONNECTIONS) {
    const requestsPerConnection = Math.ceil(REQUESTS / connections);
    const perSecond: number[] = [];
    for (let round = 0; round < Math.max(3, rounds / 10); round += 1) {
      const report = await arena.load(receiver, { connections, requestsPerConnection });
      perSecond.push(report.requestsPerSecond);
    }
    const step = before === undefined ? '' : times(median(perSecond) / before);
    rows.push([String(connections), significant(median(perSecond)), spread(perSecond), step]);
    before = median(perSecond);
  }
  await arena.close();
  return {
    title: 'Connections, ours on Fastify',
    columns: ['connections', 'requests/s', 'spread', 'step'],
    rows,
  };
}
