import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;

const VARIABLES = {
  LIVE_WEBHOOK_SECRET: `${secretOf(1)},${secretOf(2)}`,
  LIVE_ENVIRONMENT_ID: 'env_live',
  STAGING_WEBHOOK_SECRET: secretOf(3),
  STAGING_ENVIRONMENT_ID: 'env_staging',
};

describe('the sample with two endpoints', () => {
  let app: INestApplication;
  let live: ScalekitWebhookTester;
  let staging: ScalekitWebhookTester;

  beforeAll(async () => {
    Object.assign(process.env, VARIABLES);
    const { AppModule } = await import('../src/app.module.js');
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication({ logger: false });
    live = new ScalekitWebhookTester(app, { endpoint: 'live' });
    staging = new ScalekitWebhookTester(app, { endpoint: 'staging' });
  });

  afterAll(async () => {
    for (const name of Object.keys(VARIABLES)) delete process.env[name];
    await app.close();
  });

  let trail: string[];
  let alerts: string[];
  beforeEach(async () => {
    const { AuditHandlers } = await import('../src/audit.handlers.js');
    ({ trail, alerts } = app.get(AuditHandlers));
    trail.length = alerts.length = 0;
  });

  it('knows which endpoint received each event', async () => {
    await live.deliver(createScalekitEvent('role.created', { environment_id: 'env_live' }));
    await staging.deliver(createScalekitEvent('role.created', { environment_id: 'env_staging' }));

    expect(trail).toEqual(['live: role.created', 'staging: role.created']);
    expect(alerts).toEqual(['role.created']);
  });

  it('accepts the old secret and the new one while the live secret is rotated', async () => {
    const event = () => createScalekitEvent('user.login', { environment_id: 'env_live' });

    expect((await live.deliver(event(), { secret: secretOf(1) })).status).toBe(201);
    expect((await live.deliver(event(), { secret: secretOf(2) })).status).toBe(201);
    expect((await live.deliver(event(), { secret: secretOf(3) })).status).toBe(401);
  });

  it('answers 403 to events of the other environment', async () => {
    expect(
      (await live.deliver(createScalekitEvent('user.login', { environment_id: 'env_staging' }))).status,
    ).toBe(403);
  });
});
