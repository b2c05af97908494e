import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { AppModule } from '../src/app.module.js';
import { DirectoryHandlers } from '../src/directory.handlers.js';
import { UserHandlers } from '../src/user.handlers.js';

describe('the quickstart', () => {
  let app: INestApplication;
  let scalekit: ScalekitWebhookTester;

  beforeAll(async () => {
    process.env.SCALEKIT_WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication({ logger: false });
    scalekit = new ScalekitWebhookTester(app);
  });

  afterAll(async () => {
    delete process.env.SCALEKIT_WEBHOOK_SECRET;
    await app.close();
  });

  it('welcomes a new user once, however often the event is delivered', async () => {
    const answers = await scalekit.deliverTwice(
      createScalekitEvent('user.created', { data: { user: { id: 'usr_1' } } }),
    );

    expect(answers.map(({ status }) => status)).toEqual([201, 200]);
    expect(app.get(UserHandlers).welcomed).toEqual([expect.stringContaining('usr_1')]);
  });

  it('runs both the exact handler and the pattern handler for a directory event', async () => {
    const event = createScalekitEvent('organization.directory.user_created');

    await scalekit.deliver(event);

    expect(app.get(DirectoryHandlers).provisioned).toHaveLength(1);
    expect(app.get(DirectoryHandlers).seen).toEqual([`${event.type} ${event.id}`]);
  });

  it('answers 401 to a forged delivery', async () => {
    expect((await scalekit.withForgedSignature(createScalekitEvent('user.created'))).status).toBe(401);
  });
});
