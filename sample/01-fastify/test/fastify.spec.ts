import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { AppModule } from '../src/app.module.js';
import { TenantRegistry } from '../src/tenant.registry.js';

describe('the Fastify sample', () => {
  let app: INestApplication;
  let scalekit: ScalekitWebhookTester;

  beforeAll(async () => {
    process.env.SCALEKIT_WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication(new FastifyAdapter(), { logger: false });
    scalekit = new ScalekitWebhookTester(app);
  });

  afterAll(async () => {
    delete process.env.SCALEKIT_WEBHOOK_SECRET;
    await app.close();
  });

  it('adds a member to a known organization', async () => {
    const data = { organization: { id: 'org_customer' }, user: { id: 'usr_1' } };

    const { status } = await scalekit.deliver(createScalekitEvent('user.signup', { data }));

    expect(status).toBe(201);
    expect(app.get(TenantRegistry).membersOf('org_customer')).toEqual(['usr_1']);
  });

  it('answers 422 for an unknown organization, and 200 to the retry', async () => {
    const data = { organization: { id: 'org_stranger' }, user: { id: 'usr_2' } };

    const answers = await scalekit.deliverTwice(
      createScalekitEvent('user.organization_membership_created', { data }),
    );

    expect(answers.map(({ status }) => status)).toEqual([422, 200]);
  });
});
