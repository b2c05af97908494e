import { deepEqual, equal } from 'node:assert/strict';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  OnScalekitEvent,
  type ScalekitEvent,
  ScalekitInbox,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { createAdapter } from './adapter.js';

// What applications bundle into one minified file, with one handler that has an id of its own.

const handled: string[] = [];

class InvoiceHandlers {
  @OnScalekitEvent('user.created', { id: 'invoices.create' })
  create(event: ScalekitEvent<'user.created'>): void {
    handled.push(event.id);
  }

  @OnScalekitEvent('user.deleted')
  remove(event: ScalekitEvent<'user.deleted'>): void {
    handled.push(event.id);
  }
}

@Module({
  imports: [
    ScalekitWebhooksModule.forRoot({
      signingSecret: `whsec_${Buffer.from('a made-up secret for this test..').toString('base64')}`,
    }),
  ],
  providers: [InvoiceHandlers],
})
class BundledModule {}

async function verifyBundle(): Promise<void> {
  const app = await NestFactory.create(BundledModule, createAdapter(), { logger: ['error', 'warn'] });
  const scalekit = new ScalekitWebhookTester(app);
  const [created, deleted] = [createScalekitEvent('user.created'), createScalekitEvent('user.deleted')];

  const answers = await scalekit.deliverTwice(created);
  deepEqual(
    answers.map(({ status }) => status),
    [201, 200],
  );
  equal((await scalekit.deliver(deleted)).status, 201);
  equal((await scalekit.withForgedSignature(created)).status, 401);
  deepEqual(handled, [created.id, deleted.id]);

  const inbox = app.get(ScalekitInbox, { strict: false });
  const ids = async (eventId: string) => (await inbox.get(eventId))?.runs.map(({ handlerId }) => handlerId);
  deepEqual(await ids(created.id), ['invoices.create']);
  // The default id follows the name of the class, which is why applications that minify it set an id.
  deepEqual(await ids(deleted.id), [`${InvoiceHandlers.name}.remove`]);
  equal(InvoiceHandlers.name === 'InvoiceHandlers', process.env.KEEPS_NAMES === 'yes', InvoiceHandlers.name);
  await app.close();
  console.log('bundle ok');
}

void verifyBundle();
