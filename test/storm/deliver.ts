import { setTimeout as delay } from 'node:timers/promises';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { ScalekitDeliverySimulator, type SimulatedAttempt } from 'nestjs-scalekit-webhooks/testing';
import { freePort } from '../helpers/free-port.js';
import { SECRET } from '../helpers/secrets.js';
import { Fleet } from './fleet.js';
import { Progress } from './progress.js';
import type { StormServices } from './services.js';
import { type AppSettings, EVENT_TYPES, type StormOptions, worksFromInbox } from './storm.settings.js';

/** An event to deliver. */
export interface StormEvent {
  readonly id: string;
  readonly type: string;
  /** What it is about: see `scalekitEventEntity`. */
  readonly entity?: string | undefined;
  /** In ms since 1970. */
  readonly occurredAt: number;
  /** Its body. */
  readonly payload: { readonly id: string; readonly type: string };
}

/** What is left when all events were delivered. */
export interface Delivered {
  readonly fleet: Fleet;
  readonly progress: Progress;
  /** Entries with a run that is still queued, running or failed, after a bounded time. */
  readonly open: number;
  /** How long it took after the storm until all runs were done or dead. */
  readonly drainMs: number;
}

const COPIES = 6;
const LANES = 2;
const CONCURRENCY_OF_A_LANE = 16;
// The events of a wave arrive in any order, so an event that comes too early does not wait for longer than its wave.
const WAVE_SIZE = 30 * EVENT_TYPES.length;
// Scalekit's first retries, sped up, and then a retry every two seconds: this sender does not give up.
const SCHEDULE = [0, 100, 250, 500, 1000, ...Array.from({ length: 1000 }, () => 2000)];
// For how long the storm goes on while workers have a backlog.
const STORMY_DRAIN_MS = 10_000;
// How long runs may still be queued, running or failed after the storm. A backlog takes longer.
const DRAIN_MS = 30_000;
const DRAIN_MS_PER_EVENT = 20;
const DRAIN_PAUSE_MS = 200;

/** Delivers the events while processes are killed, connections end and services restart. */
export async function deliverAll(
  settings: AppSettings,
  options: StormOptions,
  services: StormServices,
  inbox: InboxStore,
  events: readonly StormEvent[],
): Promise<Delivered> {
  const ports = await Promise.all(Array.from({ length: options.processes }, freePort));
  const workers = Array.from(
    { length: worksFromInbox(settings.mode) ? options.workers : 0 },
    () => undefined,
  );
  const fleet = await Fleet.start(settings, [...ports, ...workers]);
  const progress = new Progress(settings.mode, options.events);
  const finished = new AbortController();
  const disturbances = [
    repeat(finished.signal, options.killEveryMs, () => fleet.killOldest()),
    repeat(finished.signal, options.endConnectionsEveryMs, () => services.endConnections()),
  ];
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(options.limitMs), fleet.crashed]);
    const restartIfDue = restartServices(services, progress, options);
    const send = async (wave: readonly StormEvent[], seed: number) => {
      const simulator = new ScalekitDeliverySimulator({
        urls: ports.map((port) => `http://127.0.0.1:${port}/webhooks/scalekit`),
        secrets: SECRET,
        schedule: SCHEDULE,
        concurrency: CONCURRENCY_OF_A_LANE,
        duplicates: COPIES,
        reorder: true,
        seed,
        onAttempt(attempt: SimulatedAttempt) {
          progress.note(attempt);
          restartIfDue();
        },
      });
      await simulator.send(
        wave.map(({ payload }) => payload),
        { signal },
      );
    };
    await sendInWaves(events, send, options.seed);
    await services.restarting;
    // Deliveries end long before the runs that they have handed to workers.
    await drain(inbox, STORMY_DRAIN_MS);
    finished.abort();
    await Promise.all(disturbances);
    return { fleet, progress, ...(await drain(inbox, DRAIN_MS + DRAIN_MS_PER_EVENT * options.events)) };
  } finally {
    finished.abort();
    await Promise.all(disturbances);
    await fleet.stop();
  }
}

/** Sends one wave after the other, in lanes side by side: the end of a wave, which is slow, does not hold up the others. */
async function sendInWaves(
  events: readonly StormEvent[],
  send: (wave: readonly StormEvent[], seed: number) => Promise<void>,
  firstSeed: number,
): Promise<void> {
  let sent = 0;
  const lane = async () => {
    while (sent < events.length) {
      const from = sent;
      sent += WAVE_SIZE;
      await send(events.slice(from, sent), firstSeed + from);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Does something at an interval, even if it has not ended the last time, until the signal is aborted. */
async function repeat(signal: AbortSignal, everyMs: number, action: () => Promise<void>): Promise<void> {
  const started: Promise<void>[] = [];
  while (!signal.aborted) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) started.push(action());
  }
  await Promise.all(started);
}

/** Restarts the services after equal shares of the events. */
function restartServices(services: StormServices, progress: Progress, { events, restarts }: StormOptions) {
  let due = 1;
  return () => {
    if (due > restarts || progress.begun.size < (events * due) / (restarts + 1)) return;
    due += 1;
    services.restart();
  };
}

/** Waits until all runs are done or dead, or the time is over. */
async function drain(inbox: InboxStore, limitMs: number): Promise<Pick<Delivered, 'open' | 'drainMs'>> {
  const startedAt = performance.now();
  for (;;) {
    // The connection of this process can end too.
    const open = await countOpen(inbox).catch(() => Infinity);
    const drainMs = performance.now() - startedAt;
    if (open === 0 || drainMs > limitMs) return { open, drainMs };
    await delay(DRAIN_PAUSE_MS);
  }
}

async function countOpen(inbox: InboxStore): Promise<number> {
  const states = ['queued', 'running', 'failed'] as const;
  const counts = await Promise.all(states.map((state) => inbox.count({ state })));
  return counts.reduce((sum, count) => sum + count, 0);
}
