import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { ScalekitRecovery } from 'nestjs-scalekit-webhooks/recovery';
import {
  createScalekitEvent,
  ScalekitDeliverySimulator,
  SimulatedEventsApi,
} from 'nestjs-scalekit-webhooks/testing';
import { AppModule } from './app.module.js';
import { type HistoryLine, UserHistory } from './user-history.js';

/** What came of a rehearsal. */
export interface Rehearsal {
  /** How many events Scalekit gave up, because their retries ran out during the outage. */
  readonly lost: number;
  /** How many events the history has before the recovery. */
  readonly before: number;
  /** How many events the recovery reads from the Events API. */
  readonly read: number;
  /** How many events the history has in the end. */
  readonly after: number;
  /** How many lines of the history are repetitions. It should be 0. */
  readonly repeated: number;
  /** How many recovered events stand before an older one of their user. It should be 0. */
  readonly outOfOrder: number;
}

const HOUR = 3_600_000;
const USERS = 10;
const LIMIT_MS = 600_000;

/**
 * Rehearses an outage: Scalekit gives up five of eight events. Then the application starts again, gets them from the Events
 * API with the real Scalekit SDK, and receives newer events meanwhile.
 */
export async function rehearse(count: number): Promise<Rehearsal> {
  const api = new SimulatedEventsApi();
  const { url, clientId, clientSecret, close } = await api.listen();
  process.env.SCALEKIT_ENVIRONMENT_URL = url;
  process.env.SCALEKIT_CLIENT_ID = clientId;
  process.env.SCALEKIT_CLIENT_SECRET = clientSecret;
  const events = eventsOfTwoDays(count);
  const [outageFrom, outageUntil] = [count / 4, (count * 7) / 8];

  // A recovery before the outage would look back beyond it, because the events of this rehearsal are in the past.
  process.env.RECOVER_ON_START = 'false';
  let app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
  const sent = await new ScalekitDeliverySimulator({
    app,
    timeScale: 1_000_000,
    outage: { from: timeOf(events[outageFrom]), until: timeOf(events[outageUntil]) },
  }).send(events.slice(0, outageUntil));
  const lost = new Set(sent.events.filter(({ state }) => state === 'given_up').map(({ id }) => id));
  const before = await linesOf(app.get(UserHistory), sent.totals.acknowledged);
  await app.close();
  api.add(...events);

  app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
  const [{ read }] = await Promise.all([
    app.get(ScalekitRecovery, { strict: false }).recover(),
    new ScalekitDeliverySimulator({ app }).send(events.slice(outageUntil)),
  ]);
  const after = await linesOf(app.get(UserHistory), count);
  await app.close();
  await close();
  return {
    lost: lost.size,
    before: before.length,
    read,
    after: after.length,
    repeated: after.length - new Set(after.map(({ event_id }) => event_id)).size,
    outOfOrder: outOfOrder(after.filter(({ event_id }) => lost.has(event_id))),
  };
}

/** An event about one of ten users every few minutes, and an hour without any, so that the outage ends after the last retry. */
function eventsOfTwoDays(count: number) {
  const start = Date.now() - 48 * HOUR;
  return Array.from({ length: count }, (_, index) => {
    const at = start + (index * 46 * HOUR) / count + (index < (count * 7) / 8 ? 0 : HOUR);
    return createScalekitEvent('user.updated', {
      occurred_at: new Date(at).toISOString(),
      data: { user: { id: `usr_${index % USERS}` } },
    });
  });
}

function timeOf(event: { readonly occurred_at: string } | undefined): Date {
  return new Date(event?.occurred_at ?? 0);
}

/** The history, once it has as many lines. */
async function linesOf(history: UserHistory, count: number): Promise<readonly HistoryLine[]> {
  const giveUpAt = Date.now() + LIMIT_MS;
  while (history.lines().length < count && Date.now() < giveUpAt) await pause(20);
  return history.lines();
}

function outOfOrder(lines: readonly HistoryLine[]): number {
  const newest = new Map<string, string>();
  return lines.filter(({ user_id, occurred_at }) => {
    const isLate = occurred_at < (newest.get(user_id) ?? '');
    if (!isLate) newest.set(user_id, occurred_at);
    return isLate;
  }).length;
}
