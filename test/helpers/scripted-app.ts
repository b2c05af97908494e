import { jest } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import {
  type InboxStore,
  MemoryInboxStore,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from './captured-logger.js';
import { closeAfterTest } from './running-app.js';
import { SECRET } from './secrets.js';
import { type AdapterFactory, startApp } from './test-app.js';

type Run = (event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) => Promise<unknown>;

/** A handler whose behavior the test defines. */
export class First {
  readonly run = jest.fn<Run>();

  @OnScalekitEvent('user.created')
  handle(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {
    return this.run(event, delivery);
  }
}

/** Another handler for the same event. */
export class Second {
  readonly run = jest.fn<Run>();

  @OnScalekitEvent('user.created')
  handle(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery) {
    return this.run(event, delivery);
  }
}

/** A new event that both handlers receive. */
export function aUserCreated() {
  return createScalekitEvent('user.created');
}

/** An application with these handlers, and what a test needs of it. */
export interface ScriptedApp {
  readonly app: INestApplication;
  readonly scalekit: ScalekitWebhookTester;
  readonly dispatcher: ScalekitEventDispatcher;
  readonly inbox: InboxStore;
  readonly logger: CapturedLogger;
  readonly first: First['run'];
  readonly second: Second['run'];
}

/** Starts the application. It is closed when the test ends. */
export async function startScriptedApp(
  adapter: AdapterFactory,
  options: ScalekitWebhooksOptions = {},
): Promise<ScriptedApp> {
  const inbox = options.inbox ?? new MemoryInboxStore();
  const logger = new CapturedLogger();
  const app = await startApp(
    adapter,
    {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options, inbox })],
      providers: [First, Second],
    },
    undefined,
    { logger },
  );
  closeAfterTest(app);
  return {
    app,
    scalekit: new ScalekitWebhookTester(app),
    dispatcher: app.get(ScalekitEventDispatcher, { strict: false }),
    inbox,
    logger,
    first: app.get(First).run,
    second: app.get(Second).run,
  };
}
