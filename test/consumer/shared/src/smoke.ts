import { deepEqual, equal } from 'node:assert/strict';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { createAdapter } from './adapter.js';
import { Gate, Greetings } from './app.module.js';
import { OperatedModule, useDashboard } from './dashboard.js';
import { nestInternals } from './nest-internals.js';

/** Prints what is unexpected, and keeps what is logged per event. */
class SmokeLogger extends ConsoleLogger {
  readonly perEvent: unknown[] = [];

  override log(): void {}

  override debug(message: unknown): void {
    this.perEvent.push(message);
  }
}

async function smoke(): Promise<void> {
  const logger = new SmokeLogger();
  const app = await NestFactory.create(OperatedModule, createAdapter(), { logger });
  await app.listen(0, '127.0.0.1');
  const scalekit = new ScalekitWebhookTester(app);
  const event = createScalekitEvent('user.created', { data: { user: { email: 'ada@example.com' } } });

  const [first, again] = await scalekit.deliverTwice(event);
  equal(first.status, 201);
  equal(again.status, 200);
  equal((await scalekit.deliver(createScalekitEvent('user.updated'))).status, 200);
  const refused = createScalekitEvent('organization.sso_created');
  equal((await scalekit.deliver(refused)).status, 422);
  equal((await scalekit.withForgedSignature(event)).status, 401);
  deepEqual(app.get(Greetings).sent, ['ada@example.com']);
  await useDashboard(await app.getUrl(), refused.id);
  const lines = ['processed', 'duplicate'].map((outcome) => `${event.id} (user.created): ${outcome}`);
  deepEqual(logger.perEvent.slice(0, 2), lines, 'events are logged at debug level');

  const gate = app.get(Gate);
  const inFlight = scalekit.deliver(createScalekitEvent('role.created'));
  await gate.begun;
  const closed = app.close();
  await new Promise(setImmediate);
  gate.open();
  equal((await inFlight).status, 201, 'Nest has changed: closeFirst() no longer closes the endpoint first');
  await closed;
}

const changed = Object.entries(nestInternals()).filter(([, isThere]) => !isThere);
deepEqual(changed, [], 'Nest has changed: adapt lib/dispatch/nest-internals.ts');

void smoke();
