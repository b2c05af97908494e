import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { InboxStore, ScalekitEventType } from 'nestjs-scalekit-webhooks';
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
import { readJournals } from './journal.js';
import { judge, type Verdict } from './judge.js';
import { Progress } from './progress.js';
import { StormServices } from './services.js';
import type { AppSettings, StormMode } from './storm.settings.js';

/** The size of a storm. */
export interface StormOptions {
  readonly events: number;
  readonly seed: number;
  readonly processes: number;
  readonly killEveryMs: number;
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
  /** Entries with a run that is still queued, running, failed or dead. */
  readonly open: number;
  readonly faults: readonly string[];
  readonly seconds: number;
}

const TYPES: readonly ScalekitEventType[] = [
  'user.created',
  'organization.created',
  'organization.directory_enabled',
];
const COPIES = 6;
const CONCURRENCY = 32;
// Scalekit's first retries, sped up, and then a retry every two seconds: this sender does not give up.
const SCHEDULE = [0, 100, 250, 500, 1000, ...Array.from({ length: 200 }, () => 2000)];
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
    sqliteFile: join(directory, 'storm.db'),
    postgresUrl: services.postgres?.url ?? '',
    redisPort: services.redis?.port ?? 0,
  };
  await mkdir(settings.journalDirectory);
  const storage = await openInbox(settings);
  try {
    await storage.effects?.prepare();
    const events = Array.from({ length: options.events }, (_, index) =>
      createScalekitEvent(
        TYPES[index % TYPES.length] ?? 'user.created',
        {},
        { seed: `${options.seed}-${index}` },
      ),
    );
    const { fleet, report, open } = await deliverAll(settings, options, services, storage.inbox, events);
    const verdict = judge({
      eventIds: events.map(({ id }) => id),
      acknowledged: new Set(
        report.events.filter(({ state }) => state === 'acknowledged').map(({ id }) => id),
      ),
      lines: await readJournals(settings.journalDirectory),
      transactional: await storage.effects?.count(),
      killed: fleet.killed,
      outages: services.outages,
    });
    return {
      ...verdict,
      mode,
      totals: report.totals,
      open,
      kills: fleet.killed.size,
      restarts: services.outages.length,
      faults: fleet.faults,
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    await storage.close();
    await services.stop();
    await rm(directory, { recursive: true, force: true });
  }
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
  const killing = killUntil(finished.signal, fleet, options.killEveryMs);
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
    const report = await simulator.send(events, { signal: AbortSignal.timeout(options.limitMs) });
    await services.restarting;
    const open = await drain(inbox);
    return { fleet, report, open };
  } finally {
    finished.abort();
    await killing;
    await fleet.stop();
  }
}

/** Kills a process at an interval until the signal is aborted. */
async function killUntil(signal: AbortSignal, fleet: Fleet, everyMs: number): Promise<void> {
  const started: Promise<void>[] = [];
  while (!signal.aborted) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) started.push(fleet.killOldest());
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

/** Waits until all runs are done, or nothing changes any more. Resolves to how many entries are still open. */
async function drain(inbox: InboxStore): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY;
  let giveUpAt = 0;
  for (;;) {
    const states = ['queued', 'running', 'failed', 'dead'] as const;
    const counts = await Promise.all(states.map((state) => inbox.count({ state })));
    const open = counts.reduce((sum, count) => sum + count, 0);
    if (open < fewest) giveUpAt = performance.now() + STANDSTILL_MS;
    fewest = Math.min(fewest, open);
    if (open === 0 || performance.now() > giveUpAt) return open;
    await delay(DRAIN_PAUSE_MS);
  }
}
