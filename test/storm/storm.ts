import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InboxStore, scalekitEventEntity } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { openInbox } from './app.inbox.js';
import { deliverAll, type StormEvent } from './deliver.js';
import { type JournalLine, readJournals } from './journal.js';
import { type DeadRun, judge, type Verdict } from './judge.js';
import { StormServices } from './services.js';
import {
  type AppSettings,
  EVENT_TYPES,
  EVENTS_OF_A_LINE,
  ORDERED,
  type StormMode,
  type StormOptions,
  worksFromInbox,
} from './storm.settings.js';

/** The result of a storm. */
export interface StormResult extends Verdict {
  readonly mode: StormMode;
  readonly events: number;
  readonly unacknowledged: number;
  readonly requests: number;
  /** How many requests ended with each status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly kills: number;
  readonly outages: number;
  readonly endedConnections: number;
  /** Entries with a run that is still queued, running or failed. */
  readonly open: number;
  /** How long it took after the storm until all runs were done or dead. */
  readonly drainMs: number;
  /** Processes that ended on their own, or did not start. */
  readonly crashes: readonly string[];
  /** How many email addresses the events have, and those that a database or the queue holds in plain text. */
  readonly addresses: number;
  readonly exposed: readonly string[];
  readonly seconds: number;
  /** What happened to each attempt. */
  readonly lines: readonly JournalLine[];
}

/** Runs a storm against the application in one mode, and judges what is left of it. */
export async function storm(mode: StormMode, options: StormOptions): Promise<StormResult> {
  const startedAt = performance.now();
  const directory = await mkdtemp(join(tmpdir(), `storm-${mode}-`));
  const sqliteFile = join(directory, 'storm.db');
  const services = await StormServices.start(mode, sqliteFile);
  const settings: AppSettings = {
    mode,
    seed: options.seed,
    journalDirectory: join(directory, 'journals'),
    usersDirectory: join(directory, 'users'),
    sqliteFile,
    postgresUrl: services.postgres?.url ?? '',
    redisPort: services.redis?.port ?? 0,
  };
  await mkdir(settings.journalDirectory);
  await mkdir(settings.usersDirectory);
  const storage = await openInbox(settings);
  try {
    await storage.prepare();
    const events = createEvents(options);
    const { inbox, effects } = storage;
    const { fleet, progress, open, drainMs } = await deliverAll(settings, options, services, inbox, events);
    const lines = await readJournals(settings.journalDirectory);
    const verdict = judge({
      events,
      acknowledged: progress.acknowledged,
      lines,
      transactional: await effects?.count(),
      handled: worksFromInbox(mode) ? await effects?.eventsInOrder(ORDERED) : undefined,
      dead: await deadRuns(inbox),
      killed: fleet.killed,
      outages: services.outages,
    });
    const addresses = addressesOf(events);
    const dump = await services.dump();
    return {
      ...verdict,
      mode,
      addresses: addresses.length,
      exposed: addresses.filter((address) => dump.includes(address)),
      events: events.length,
      unacknowledged: events.length - progress.acknowledged.size,
      requests: progress.requests,
      statuses: progress.statuses,
      kills: fleet.killed.size,
      outages: services.outages.length,
      endedConnections: services.endedConnections,
      open,
      drainMs,
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

// The events happen at different times, in the order in which they are created.
const FIRST_OCCURRED_AT = Date.UTC(2026, 0, 1);
const OCCURS_EVERY_MS = 1000;

/** Events of each type in turn. Each user is created and updated, and each organization and role has several events. */
function createEvents({ events, seed }: StormOptions): StormEvent[] {
  return Array.from({ length: events }, (_, index) => {
    const type = EVENT_TYPES[index % EVENT_TYPES.length] ?? 'user.created';
    const round = Math.floor(index / EVENT_TYPES.length);
    const occurredAt = FIRST_OCCURRED_AT + index * OCCURS_EVERY_MS;
    const own = { id: `evt_${index}`, occurred_at: new Date(occurredAt).toISOString() };
    // Events with one seed are about the same user, organization or role.
    const group = type.startsWith('user.') ? round : `line-${Math.floor(round / EVENTS_OF_A_LINE)}`;
    const sample = createScalekitEvent(type, own, { seed: `${seed}-${group}` });
    // Each group has its own email address.
    const payload: typeof sample = JSON.parse(JSON.stringify(sample).replaceAll('sample.user@', `${group}@`));
    return { id: payload.id, type, entity: scalekitEventEntity(payload), occurredAt, payload };
  });
}

function addressesOf(events: readonly StormEvent[]): string[] {
  return [...new Set(JSON.stringify(events.map(({ payload }) => payload)).match(/[\w.+-]+@[\w.-]+/g))];
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
