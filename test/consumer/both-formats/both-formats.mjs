import { equal, notEqual, ok } from 'node:assert/strict';
import { createRequire } from 'node:module';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as esm from 'nestjs-scalekit-webhooks';
import * as esmTesting from 'nestjs-scalekit-webhooks/testing';

const require = createRequire(import.meta.url);
const cjs = require('nestjs-scalekit-webhooks');
const cjsTesting = require('nestjs-scalekit-webhooks/testing');
notEqual(cjs.ScalekitWebhooksModule, esm.ScalekitWebhooksModule);

const signingSecret = `whsec_${Buffer.from('a made-up secret for this test..').toString('base64')}`;

await check(esm, esmTesting, cjs, cjsTesting);
await check(cjs, cjsTesting, esm, esmTesting);

/** Uses the module of one copy with the handlers, errors, events and secrets of the other. */
async function check(own, ownTesting, other, otherTesting) {
  const created = [];
  class Handlers {
    created(event) {
      created.push(event);
    }

    refuse() {
      throw new other.NonRetryableEventError('cannot be handled');
    }
  }
  decorate(other.OnScalekitEvent('user.created'), Handlers, 'created');
  decorate(other.OnScalekitEvent('user.deleted'), Handlers, 'refuse');
  class AppModule {}
  Module({
    imports: [own.ScalekitWebhooksModule.forRoot({ signingSecret })],
    providers: [Handlers],
  })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false });

  const scalekit = new otherTesting.ScalekitWebhookTester(app);
  const [first, again] = await scalekit.deliverTwice(otherTesting.createScalekitEvent('user.created'));
  equal(first.status, 201);
  equal(again.status, 200);
  equal((await scalekit.deliver(otherTesting.createScalekitEvent('user.deleted'))).status, 422);
  equal((await scalekit.withForgedSignature(ownTesting.createScalekitEvent('user.created'))).status, 401);
  equal(created.length, 1);
  ok(other.isKnownScalekitEvent(created[0]));
  const simulator = new otherTesting.ScalekitDeliverySimulator({ app, schedule: [0] });
  equal((await simulator.send([otherTesting.createScalekitEvent('user.created')])).totals.acknowledged, 1);
  await app.close();

  try {
    own.verifyWebhookSignature({
      payload: '',
      headers: {},
      secrets: other.parseSigningSecret(signingSecret),
    });
    ok(false, 'verified without headers');
  } catch (error) {
    ok(error instanceof own.WebhookVerificationError);
    equal(error.code, 'headers_missing');
  }
}

function decorate(decorator, { prototype }, method) {
  decorator(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
}
