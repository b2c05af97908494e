import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InboxStore } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { openInbox } from './app.inbox.js';
import { deliverAll, type StormEvent } from './deliver.js';
import { type JournalLine, readJournals } from './journal.js';
import { type DeadRun, judge, type Verdict } from './judge.js';
import { StormServices } from './services.js';
import { type AppSettings, EVENT_TYPES, type StormMode, type StormOptions } from './storm.settings.js';

/** The result of a storm. */
export interface StormResult extends Verdict {
  readonly mode: StormMode;
  readonly events: number;
  readonly unacknowledged: number;
  readonly requests: number;
  /** How many requests ended with each status. */
  readonly statuses: Readonly<Record<string, number>>;
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
    const { fleet, progress, open } = await deliverAll(settings, options, services, storage.inbox, events);
    const lines = await readJournals(settings.journalDirectory);
    const verdict = judge({
      events,
      acknowledged: progress.acknowledged,
      lines,
      transactional: await storage.effects?.count(),
      dead: await deadRuns(storage.inbox),
      killed: fleet.killed,
      outages: services.outages,
    });
    return {
      ...verdict,
      mode,
      events: events.length,
      unacknowledged: events.length - progress.acknowledged.size,
      requests: progress.requests,
      statuses: progress.statuses,
      kills: fleet.killed.size,
      restarts: services.outages.length,
      endedConnections: services.endedConnections,
      open,
      crashes: fleet.crashes,
      seconds: (performance.now() - startedAt) / 1000,
      lines,
    };
  } finally {
    await storage.close();
    await services.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Events of each type in turn. Each user is created and updated. */
function createEvents({ events, seed }: StormOptions): StormEvent[] {
  return Array.from({ length: events }, (_, index) => {
    const type = EVENT_TYPES[index % EVENT_TYPES.length] ?? 'user.created';
    // Events with one seed are about the same user.
    return createScalekitEvent(type, {}, { seed: `${seed}-${Math.floor(index / EVENT_TYPES.length)}` });
  });
}

async function deadRuns(inbox: InboxStore): Promise<DeadRun[]> {
  const dead: DeadRun[] = [];
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
