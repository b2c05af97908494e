import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import {
  InboxTransport,
  type InboxTransportOptions,
  type InboxWorkStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { closeAfterTest } from '../../helpers/running-app.js';
import { type AdapterFactory, SECRET, startApp } from '../../helpers/test-app.js';
import { until } from '../../helpers/until.js';

/** So fast that tests do not have to wait for a poll or a retry. */
export const FAST: InboxTransportOptions = { pollIntervalMs: 20, backoff: 1 };

export class Handlers {
  readonly runs: string[] = [];
  readonly deliveries: ScalekitDelivery[] = [];
  failures: unknown[] = [];
  gate: Promise<void> = Promise.resolve();

  @OnScalekitEvent('user.created', { attempts: 3 })
  async first(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    this.runs.push(`first ${event.id} ${delivery.attempt}`);
    this.deliveries.push(delivery);
    await this.gate;
    const failure = this.failures.shift();
    if (failure) throw failure;
  }

  @OnScalekitEvent('user.*')
  second(event: ScalekitEvent<'user.*'>): void {
    this.runs.push(`second ${event.id}`);
  }
}

export interface BackgroundApp {
  readonly app: INestApplication;
  readonly scalekit: ScalekitWebhookTester;
  readonly handlers: Handlers;
  readonly inbox: ScalekitInbox;
  readonly logger: CapturedLogger;
}

/** Starts an application with background work, which is closed when the test ends. */
export async function startBackgroundApp(
  inbox: InboxWorkStore,
  transport: InboxTransportOptions = {},
  adapter: AdapterFactory = () => new ExpressAdapter(),
): Promise<BackgroundApp> {
  return startHandlers({ inbox, transport: new InboxTransport({ ...FAST, ...transport }) }, adapter);
}

/** Starts an application with these options of the module, which is closed when the test ends. */
export async function startHandlers(
  options: ScalekitWebhooksOptions,
  adapter: AdapterFactory = () => new ExpressAdapter(),
): Promise<BackgroundApp> {
  const logger = new CapturedLogger();
  const module = ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options });
  const app = await startApp(adapter, { imports: [module], providers: [Handlers] }, undefined, { logger });
  closeAfterTest(app);
  return {
    app,
    scalekit: new ScalekitWebhookTester(app),
    handlers: app.get(Handlers),
    inbox: app.get(ScalekitInbox, { strict: false }),
    logger,
  };
}

/** The runs of an event by handler id. */
export async function runsOf(inbox: InboxWorkStore, eventId: string) {
  const entry = await inbox.get({ endpoint: 'default', eventId });
  return Object.fromEntries((entry?.runs ?? []).map((run) => [run.handlerId, run]));
}

/** Waits until every run of an event has one of these states, and returns the runs. */
export async function untilRuns(inbox: InboxWorkStore, eventId: string, ...states: string[]) {
  return until(
    () => runsOf(inbox, eventId),
    (runs) => {
      const all = Object.values(runs);
      return all.length > 0 && all.every(({ state }) => states.includes(state));
    },
  );
}
