import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  InboxTransport,
  MemoryInboxStore,
  OnScalekitEvent,
  type RunState,
  type SCALEKIT_EVENT_TYPES,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { ScalekitDashboardModule } from 'nestjs-scalekit-webhooks/dashboard';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';
import { type BrowserContextOptions, chromium } from 'playwright-core';
import { SECRET } from '../helpers/secrets.js';

type Ended = Extract<RunState, 'done' | 'failed' | 'dead'>;
type SampleEvent = readonly [
  id: string,
  type: (typeof SCALEKIT_EVENT_TYPES)[number],
  runs: Readonly<Record<string, Ended | 'queued'>>,
];

const START = Date.parse('2026-01-31T09:00:00Z');
const MINUTE = 60_000;
const WIDE = { width: 1080, height: 640 };
const ENTRY = 'entry?endpoint=default&event=evt_1004';

/** The events of the pictures, oldest first, one a minute. */
const EVENTS: readonly SampleEvent[] = [
  ['evt_1001', 'organization.created', { 'Workspaces.open': 'done' }],
  ['evt_1002', 'user.created', { 'Mails.welcome': 'done', 'Seats.take': 'done' }],
  ['evt_1003', 'user.created', { 'Mails.welcome': 'failed', 'Seats.take': 'done' }],
  ['evt_1004', 'user.created', { 'Mails.welcome': 'failed', 'Seats.take': 'dead' }],
  ['evt_1005', 'organization.updated', { 'Workspaces.open': 'done' }],
  ['evt_1006', 'user.deleted', { 'Seats.release': 'done' }],
  ['evt_1007', 'user.created', { 'Mails.welcome': 'queued', 'Seats.take': 'queued' }],
  ['evt_1008', 'user.deleted', { 'Seats.release': 'queued' }],
];
const ERRORS: Readonly<Record<string, Error>> = {
  'Mails.welcome': new Error('connect ECONNREFUSED mail.example.com:587'),
  'Seats.take': new Error('The plan of acme.example.com has no seat left'),
};

class Handlers {
  @OnScalekitEvent('organization.*', { id: 'Workspaces.open' })
  open() {}

  @OnScalekitEvent('user.created', { id: 'Mails.welcome' })
  welcome() {}

  @OnScalekitEvent('user.created', { id: 'Seats.take' })
  take() {}

  @OnScalekitEvent('user.deleted', { id: 'Seats.release' })
  release() {}
}

/** Each picture: its file, the page, and how the browser shows it. */
export const PICTURES: readonly (readonly [file: string, page: string, options: BrowserContextOptions])[] = [
  ['dashboard-overview.png', 'overview', { viewport: WIDE }],
  ['dashboard-events.png', 'entries', { viewport: WIDE }],
  ['dashboard-event.png', ENTRY, { viewport: WIDE }],
  ['dashboard-event-dark.png', ENTRY, { viewport: WIDE, colorScheme: 'dark' }],
  ['dashboard-narrow.png', 'overview', { viewport: { width: 375, height: 812 } }],
];

/** Takes the pictures of the dashboard for the documentation. They show the same events at the same times whenever it runs. */
export async function takeScreenshots(executablePath: string, directory: string): Promise<void> {
  const { now } = Date;
  let at = START;
  Date.now = () => at;
  const inbox = new MemoryInboxStore();
  // The runs that wait stay as they are.
  inbox.takeDue = async () => ({ runs: [], isPaused: false });
  const app = await NestFactory.create(moduleWith(inbox), { logger: false, abortOnError: false });
  // The sandbox of Chromium does not work for root.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    await app.listen(0, '127.0.0.1');
    for (const event of EVENTS) {
      await add(inbox, event);
      at += MINUTE;
    }
    for (const [file, page, options] of PICTURES) {
      const baseURL = `${await app.getUrl()}/admin/webhooks/`;
      const context = await browser.newContext({ baseURL, locale: 'en-US', timezoneId: 'UTC', ...options });
      const tab = await context.newPage();
      await tab.goto(page);
      await tab.screenshot({ path: join(directory, file), fullPage: true, animations: 'disabled' });
      await context.close();
    }
  } finally {
    Date.now = now;
    await browser.close();
    await app.close();
  }
}

function moduleWith(inbox: MemoryInboxStore) {
  @Module({
    imports: [
      ScalekitWebhooksModule.forRoot({
        signingSecret: SECRET,
        inbox,
        transport: new InboxTransport(),
      }),
      ScalekitDashboardModule.forRoot({ path: 'admin/webhooks', unsafeWithoutGuard: true }),
    ],
    providers: [Handlers],
  })
  class PicturedModule {}
  return PicturedModule;
}

/** Stores an event whose runs ended like this, or still wait. */
async function add(inbox: MemoryInboxStore, [id, type, runs]: SampleEvent): Promise<void> {
  const occurredAt = new Date(Date.now()).toISOString();
  const event = createScalekitEvent(type, { id, occurred_at: occurredAt });
  const key = { endpoint: 'default', eventId: id };
  const received = { ...key, type, occurredAt, payload: Buffer.from(JSON.stringify(event)) };
  const handlerIds = Object.keys(runs);
  const ends = Object.entries(runs).flatMap(([handlerId, state]) => {
    if (state === 'queued') return [];
    const { name, message } = ERRORS[handlerId] ?? new Error('failed');
    return [{ handlerId, state, ...(state !== 'done' && { error: { name, message } }) }];
  });
  if (ends.length === 0) {
    await inbox.enqueue(received, handlerIds);
    return;
  }
  const lease = { token: id, durationMs: MINUTE };
  await inbox.claim(received, handlerIds, lease);
  await inbox.settle(key, ends, lease);
}
