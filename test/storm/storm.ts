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
import { openLedger } from './app.ledger.js';
import { Fleet } from './fleet.js';
import { readJournals } from './journal.js';
import { judge, type Verdict } from './judge.js';
import { freePort } from './own-server.js';
import { Progress } from './progress.js';
import { StormServices } from './services.js';
import { type AppSettings, SECRET, type StormMode } from './storm.settings.js';

/** How hard it blows. */
export interface StormForce {
  readonly events: number;
  readonly seed: number;
  readonly processes: number;
  readonly killEveryMs: number;
  readonly restarts: number;
  /** After so long it is ended, whatever is open. */
  readonly limitMs: number;
}

/** What a storm came to. */
export interface StormResult extends Verdict {
  readonly mode: StormMode;
  readonly totals: SimulationTotals;
  readonly kills: number;
  readonly restarts: number;
  /** Handlers that the ledger still holds as queued, running or failed. */
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
// Scalekit's first retries on a fast clock, and then for as long as it takes: this sender does not give up.
const SCHEDULE = [0, 100, 250, 500, 1000, ...Array.from({ length: 200 }, () => 2000)];
const STANDSTILL_MS = 60_000;
const DRAIN_PAUSE_MS = 200;

/** Lets a storm blow at an application in one mode, and judges what it left. */
export async function storm(mode: StormMode, force: StormForce): Promise<StormResult> {
  const startedAt = performance.now();
  const directory = await mkdtemp(join(tmpdir(), `storm-${mode}-`));
  const services = await StormServices.start(mode);
  const settings: AppSettings = {
    mode,
    seed: force.seed,
    journalDirectory: join(directory, 'journals'),
    sqliteFile: join(directory, 'storm.db'),
    postgresUrl: services.postgres?.url ?? '',
    redisPort: services.redis?.port ?? 0,
  };
  await mkdir(settings.journalDirectory);
  const ledger = await openLedger(settings);
  try {
    await ledger.effects?.prepare();
    const events = Array.from({ length: force.events }, (_, index) =>
      createScalekitEvent(
        TYPES[index % TYPES.length] ?? 'user.created',
        {},
        { seed: `${force.seed}-${index}` },
      ),
    );
    const { fleet, report, open } = await blow(settings, force, services, ledger.inbox, events);
    const verdict = judge({
      eventIds: events.map(({ id }) => id),
      acknowledged: new Set(
        report.events.filter(({ state }) => state === 'acknowledged').map(({ id }) => id),
      ),
      lines: await readJournals(settings.journalDirectory),
      transactional: await ledger.effects?.count(),
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
    await ledger.close();
    await services.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function blow(
  settings: AppSettings,
  force: StormForce,
  services: StormServices,
  inbox: InboxStore,
  events: readonly { id: string; type: string }[],
) {
  const ports = await Promise.all(Array.from({ length: force.processes }, freePort));
  const fleet = await Fleet.start(settings, ports);
  const calm = new AbortController();
  const killing = killUntil(calm.signal, fleet, force.killEveryMs);
  try {
    const simulator = new ScalekitDeliverySimulator({
      urls: ports.map((port) => `http://127.0.0.1:${port}/webhooks/scalekit`),
      secrets: SECRET,
      schedule: SCHEDULE,
      concurrency: CONCURRENCY,
      duplicates: COPIES,
      reorder: true,
      seed: force.seed,
      onAttempt: restartsAlongTheWay(services, new Progress(settings.mode, force.events), force),
    });
    const report = await simulator.send(events, { signal: AbortSignal.timeout(force.limitMs) });
    await services.restarting;
    const open = await drain(inbox);
    return { fleet, report, open };
  } finally {
    calm.abort();
    await killing;
    await fleet.stop();
  }
}

/** Kills a process every so often, until there is calm. */
async function killUntil(calm: AbortSignal, fleet: Fleet, everyMs: number): Promise<void> {
  const started: Promise<void>[] = [];
  while (!calm.aborted) {
    await delay(everyMs, undefined, { signal: calm }).catch(() => undefined);
    if (!calm.aborted) started.push(fleet.killOldest());
  }
  await Promise.all(started);
}

/** Restarts the services when equal parts of the events have been sent. */
function restartsAlongTheWay(services: StormServices, progress: Progress, { events, restarts }: StormForce) {
  let due = 1;
  return (attempt: SimulatedAttempt) => {
    progress.note(attempt);
    if (due > restarts || progress.begun.size < (events * due) / (restarts + 1)) return;
    due += 1;
    services.restart();
  };
}

/** Waits until queues are empty, or nothing moves any more; resolves to how many entries are still open. */
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
