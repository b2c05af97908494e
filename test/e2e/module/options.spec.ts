import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  OnScalekitEvent,
  type ScalekitDelivery,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const deliveries: ScalekitDelivery[] = [];
beforeEach(() => {
  deliveries.length = 0;
});

class Handlers {
  @OnScalekitEvent('organization.created')
  created(_event: unknown, delivery: ScalekitDelivery) {
    deliveries.push(delivery);
  }

  @OnScalekitEvent('organization.deleted')
  deleted() {
    throw new Error('secret text');
  }
}

const INVALID = { ...createScalekitEvent('organization.created'), data: { id: 'org_1', display_name: 5 } };

describe.each(ADAPTERS)('the options of the module, on %s', (_name, adapter) => {
  async function answerTo(options: ScalekitWebhooksOptions, event: object) {
    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options })],
      providers: [Handlers],
    });
    const { status, body } = await new ScalekitWebhookTester(app).deliver(event);
    return { status, body };
  }

  describe('environmentId', () => {
    it.each([
      [undefined, 201],
      ['env_1', 201],
      [['env_2', 'env_1'], 201],
      ['env_2', 403],
    ])('set to %j answers an event of env_1 with %i', async (environmentId, status) => {
      const event = createScalekitEvent('organization.created', { environment_id: 'env_1' });

      expect(await answerTo({ environmentId }, event)).toMatchObject({ status });
    });

    it('rejects an event without an environment', async () => {
      const event = createScalekitEvent('organization.created', { environment_id: undefined });

      expect(await answerTo({ environmentId: 'env_1' }, event)).toEqual({
        status: 403,
        body: { received: false },
      });
      expect(deliveries).toEqual([]);
    });
  });

  describe('validation', () => {
    it('is strict by default: an event with a field of the wrong type is answered with 400', async () => {
      expect(await answerTo({}, INVALID)).toEqual({ status: 400, body: { received: false } });
      expect(deliveries).toEqual([]);
    });

    it('passes the event on with its issues if it is lenient', async () => {
      expect((await answerTo({ validation: 'lenient' }, INVALID)).status).toBe(201);
      expect(deliveries[0]?.issues).toEqual([expect.objectContaining({ path: 'data.display_name' })]);
    });

    it('passes the event on without issues if it is off', async () => {
      expect((await answerTo({ validation: 'off' }, INVALID)).status).toBe(201);
      expect(deliveries[0]?.issues).toEqual([]);
    });
  });

  it('statusCodes changes the status but not the body', async () => {
    const statusCodes = { processed: 200, failed: 599 };

    expect(await answerTo({ statusCodes }, createScalekitEvent('organization.created'))).toEqual({
      status: 200,
      body: { received: true, status: 'processed' },
    });
    expect(await answerTo({ statusCodes }, createScalekitEvent('organization.deleted'))).toEqual({
      status: 599,
      body: { received: false },
    });
  });

  it('have their defaults if they are undefined', async () => {
    const options = { toleranceSeconds: undefined, maxBodyBytes: undefined, inbox: undefined };

    expect((await answerTo(options, createScalekitEvent('organization.created'))).status).toBe(201);
  });
});
