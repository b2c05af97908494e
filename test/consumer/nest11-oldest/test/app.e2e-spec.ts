import { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { AppModule, Greetings } from '../src/app.module';

describe('webhooks (e2e)', () => {
  let app: INestApplication;
  let scalekit: ScalekitWebhookTester;

  beforeEach(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication({ logger: false });
    scalekit = new ScalekitWebhookTester(app);
  });

  afterEach(async () => {
    await app.close();
  });

  it('greets a new user once', async () => {
    const event = createScalekitEvent('user.created', { data: { user: { email: 'ada@example.com' } } });

    const answers = await scalekit.deliverTwice(event);

    expect(answers.map(({ status }) => status)).toEqual([201, 200]);
    expect(app.get(Greetings).sent).toEqual(['ada@example.com']);
  });

  it('answers 422 if a handler throws a NonRetryableEventError', async () => {
    expect((await scalekit.deliver(createScalekitEvent('organization.deleted'))).status).toBe(422);
  });

  it('answers 401 to a forged delivery', async () => {
    expect((await scalekit.withForgedSignature(createScalekitEvent('user.created'))).status).toBe(401);
  });
});
