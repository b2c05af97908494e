import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import {
  createScalekitEvent,
  ScalekitDeliverySimulator,
  type SimulatedAttempt,
  type SimulationTotals,
} from 'nestjs-scalekit-webhooks/testing';
import { freePort } from '../helpers/free-port.js';
import { SECRET } from '../helpers/secrets.js';
import { openInbox } from './app.inbox.js';
import { Fleet } from './fleet.js';
import { type JournalLine, readJournals } from './journal.js';
import { judge, type Verdict } from './judge.js';
import { Progress } from './progress.js';
import { StormServices } from './services.js';
import { type AppSettings, EVENT_TYPES, type StormMode } from './storm.settings.js';

/** The size of a storm. */
export interface StormOptions {
  readonly events: number;
  readonly seed: number;
  readonly processes: number;
  readonly killEveryMs: number;
  readonly endConnectionsEveryMs: number;
  readonly restarts: number;
  /** The storm ends after this time, even if deliveries are open. */
  readonly limitMs: number;
}

/** The result of a storm. */
export interface StormResult extends Verdict {
  readonly mode: StormMode;
  readonly totals: SimulationTotals;
  readonly kills: number;
  readonly restarts: number;
  readonly endedConnections: number;
  /** Entries with a run that is still queued, running or failed. */
  readonly open: number;
  /** Processes that ended on their own, or did not start. */
  readonly crashes: readonly string[];
  readonly seconds: number;
  /** What happened to each attempt. */
  readonly lines: readonly JournalLine[];
}

const COPIES = 6;
const CONCURRENCY = 32;
// Scalekit's first retries, sped up, and then a retry every two seconds: this sender does not give up.
const SCHEDULE = [0, 100, 250, 500, 1000, ...Array.from({ length: 450 }, () => 2000)];
const STANDSTILL_MS = 60_000;
const DRAIN_PAUSE_MS = 200;

/** Runs a storm against the application in one mode, and judges what is left of it. */
export async function storm(mode: StormMode, options: StormOptions): Promise<StormResult> {
  const startedAt = performance.now();
  const directory = await mkdtemp(join(tmpdir(), `storm-${mode}-`));
  const services = await StormServices.start(mode);
  const settings: AppSettings = {
    mode,
    seed: options.seed,
    journalDirectory: join(directory, 'journals'),
    usersDirectory: join(directory, 'users'),
    sqliteFile: join(directory, 'storm.db'),
    postgresUrl: services.postgres?.url ?? '',
    redisPort: services.redis?.port ?? 0,
  };
  await mkdir(settings.journalDirectory);
  await mkdir(settings.usersDirectory);
  const storage = await openInbox(settings);
  try {
    await storage.prepare();
    const events = createEvents(options);
    const { fleet, report, open } = await deliverAll(settings, options, services, storage.inbox, events);
    const lines = await readJournals(settings.journalDirectory);
    const verdict = judge({
      events,
      acknowledged: new Set(
        report.events.filter(({ state }) => state === 'acknowledged').map(({ id }) => id),
      ),
      lines,
      transactional: await storage.effects?.count(),
      dead: await deadRuns(storage.inbox),
      killed: fleet.killed,
      outages: services.outages,
    });
    return {
      ...verdict,
      mode,
      lines,
      totals: report.totals,
      open,
      kills: fleet.killed.size,
      restarts: services.outages.length,
      endedConnections: services.endedConnections,
      crashes: fleet.crashes,
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    await storage.close();
    await services.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Events of the same number of each type. Each user is created and updated. */
function createEvents({ events, seed }: StormOptions): { id: string; type: string }[] {
  return Array.from({ length: events }, (_, index) => {
    const type = EVENT_TYPES[index % EVENT_TYPES.length] ?? 'user.created';
    // Events with one seed are about the same user.
    return createScalekitEvent(type, {}, { seed: `${seed}-${Math.floor(index / EVENT_TYPES.length)}` });
  });
}

/** Delivers the events while processes are killed and services restart. */
async function deliverAll(
  settings: AppSettings,
  options: StormOptions,
  services: StormServices,
  inbox: InboxStore,
  events: readonly { id: string; type: string }[],
) {
  const ports = await Promise.all(Array.from({ length: options.processes }, freePort));
  const fleet = await Fleet.start(settings, ports);
  const finished = new AbortController();
  const disturbances = [
    repeat(finished.signal, options.killEveryMs, () => fleet.killOldest()),
    repeat(finished.signal, options.endConnectionsEveryMs, () => services.endConnections()),
  ];
  try {
    const simulator = new ScalekitDeliverySimulator({
      urls: ports.map((port) => `http://127.0.0.1:${port}/webhooks/scalekit`),
      secrets: SECRET,
      schedule: SCHEDULE,
      concurrency: CONCURRENCY,
      duplicates: COPIES,
      reorder: true,
      seed: options.seed,
      onAttempt: restartServices(services, new Progress(settings.mode, options.events), options),
    });
    const signal = AbortSignal.any([AbortSignal.timeout(options.limitMs), fleet.crashed]);
    const report = await simulator.send(events, { signal });
    await services.restarting;
    const open = await drain(inbox);
    return { fleet, report, open };
  } finally {
    finished.abort();
    await Promise.all(disturbances);
    await fleet.stop();
  }
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
  return (attempt: SimulatedAttempt) => {
    progress.note(attempt);
    if (due > restarts || progress.begun.size < (events * due) / (restarts + 1)) return;
    due += 1;
    services.restart();
  };
}

/** Waits until all runs are done or dead, or nothing changes any more. Resolves to how many entries are still open. */
async function drain(inbox: InboxStore): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  let giveUpAt = performance.now() + STANDSTILL_MS;
  for (;;) {
    // The connection of this process is ended too.
    const open = await countOpen(inbox).catch(() => fewest);
    if (open < fewest) giveUpAt = performance.now() + STANDSTILL_MS;
    fewest = Math.min(fewest, open);
    if (open === 0 || performance.now() > giveUpAt) return open;
    await delay(DRAIN_PAUSE_MS);
  }
}

async function countOpen(inbox: InboxStore): Promise<number> {
  const states = ['queued', 'running', 'failed'] as const;
  const counts = await Promise.all(states.map((state) => inbox.count({ state })));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function deadRuns(inbox: InboxStore): Promise<{ handlerId: string; eventId: string }[]> {
  const dead: { handlerId: string; eventId: string }[] = [];
  let cursor: string | undefined;
  do {
    const page = await inbox.list({ state: 'dead' }, { limit: 1000, ...(cursor && { cursor }) });
    for (const { eventId, runs } of page.entries) {
      for (const { handlerId, state } of runs) if (state === 'dead') dead.push({ handlerId, eventId });
    }
    cursor = page.nextCursor;
  } while (cursor);
  return dead;
}
