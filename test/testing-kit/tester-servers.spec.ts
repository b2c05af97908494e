import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { OnScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import {
  createScalekitEvent,
  ScalekitDeliverySimulator,
  ScalekitWebhookTester,
} from 'nestjs-scalekit-webhooks/testing';
import { SELF_SIGNED } from '../fixtures/self-signed.js';
import { cleanUpAfterTest } from '../helpers/cleanup.js';
import { closeAfterTest } from '../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../helpers/test-app.js';

class Users {
  @OnScalekitEvent('user.created')
  created() {}
}

async function create(adapter: AbstractHttpAdapter, options = {}): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
    providers: [Users],
  }).compile();
  return closeAfterTest(module.createNestApplication(adapter, { logger: false, ...options }));
}

/** Delivers with the tester and with the simulator. */
async function deliver(app: INestApplication) {
  const tester = new ScalekitWebhookTester(app);
  const answers = [
    await tester.deliver(createScalekitEvent('user.created')),
    await tester.withForgedSignature(createScalekitEvent('user.created')),
  ];
  const simulator = new ScalekitDeliverySimulator({ app, schedule: [0] });
  const { totals } = await simulator.send([createScalekitEvent('user.created')]);
  return [...answers.map(({ status }) => status), totals.acknowledged];
}

const DELIVERED = [201, 401, 1];

describe.each(ADAPTERS)('The testing kit, with an application on %s', (name, adapter) => {
  it('delivers over HTTPS to an application with a self-signed certificate', async () => {
    const app =
      name === 'express'
        ? await create(new ExpressAdapter(), { httpsOptions: SELF_SIGNED })
        : await create(new FastifyAdapter({ https: SELF_SIGNED }));

    expect(await deliver(app)).toEqual(DELIVERED);
  });

  it.each(['::1', '::', '0.0.0.0', 'localhost'])(
    'delivers to an application that listens on %s',
    async (host) => {
      const app = await create(adapter());
      await app.listen(0, host);

      expect(await deliver(app)).toEqual(DELIVERED);
    },
  );

  it('delivers to an application that listens on a Unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scalekit-'));
    cleanUpAfterTest(async () => rmSync(folder, { recursive: true }));
    const app = await create(adapter());
    await app.listen(join(folder, 'app.sock'));

    expect(await deliver(app)).toEqual(DELIVERED);
  });

  it('returns the headers and the body of the response', async () => {
    const tester = new ScalekitWebhookTester(await create(adapter()));

    const { headers, body } = await tester.deliver('{');

    expect(headers.get('Content-Type')).toBe('application/json; charset=utf-8');
    expect(body).toEqual({ received: false });
  });
});
