import { describe, expect, it, jest } from '@jest/globals';
import {
  OnScalekitEvent,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
  type SigningSecretResolver,
  type WebhookVerifier,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { run } from '../../helpers/running-app.js';
import { Scalekit } from '../../helpers/scalekit-sdk.js';
import { OTHER_SECRET, SECRET } from '../../helpers/secrets.js';
import { ADAPTERS } from '../../helpers/test-app.js';

const REFUSED = { received: false };

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

describe.each(ADAPTERS)('verification, on %s', (_name, adapter) => {
  async function start(options: ScalekitWebhooksOptions, path = 'webhooks/scalekit') {
    const logger = new CapturedLogger();
    const app = await run(
      adapter,
      { imports: [ScalekitWebhooksModule.forRoot({ ...options, path })], providers: [Handlers] },
      undefined,
      { logger },
    );
    return { app, logger };
  }

  async function answerTo(options: ScalekitWebhooksOptions, secret = SECRET) {
    const { app, logger } = await start(options);
    const scalekit = new ScalekitWebhookTester(app, { secret });
    const { status, body } = await scalekit.deliver(createScalekitEvent('user.created'));
    return { status, body, logger };
  }

  it('accepts several secrets', async () => {
    const signingSecret = [OTHER_SECRET, SECRET];

    expect((await answerTo({ signingSecret })).status).toBe(201);
    expect((await answerTo({ signingSecret }, OTHER_SECRET)).status).toBe(201);
  });

  describe('with a signingSecret function', () => {
    it('passes the path, the endpoint and the headers to the function', async () => {
      const find = jest.fn<SigningSecretResolver>(async ({ params: { tenant } }) =>
        tenant === 'acme' ? [SECRET] : OTHER_SECRET,
      );
      const { app } = await start({ signingSecret: find }, 'webhooks/:tenant');
      const deliverTo = async (path: string) => {
        const scalekit = new ScalekitWebhookTester(app, { path, secret: SECRET });
        return (await scalekit.deliver(createScalekitEvent('user.created'))).status;
      };

      expect(await deliverTo('/webhooks/acme')).toBe(201);
      expect(await deliverTo('/webhooks/umbrella')).toBe(401);
      expect(find).toHaveBeenCalledWith({
        endpoint: 'default',
        params: { tenant: 'acme' },
        headers: expect.objectContaining({ 'webhook-signature': expect.any(String) }),
      });
    });

    it.each([undefined, []])('fails with 401 if the function returns %j', async (found) => {
      const { status, body } = await answerTo({ signingSecret: () => found });

      expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    });

    it('fails with 503 if the function throws, without logging the error message', async () => {
      const { status, body, logger } = await answerTo({
        signingSecret: () => {
          throw new RangeError('postgres://user:password@host');
        },
      });

      expect({ status, body }).toEqual({ status: 503, body: REFUSED });
      expect(logger.ours('warn')).toContainEqual(expect.stringContaining('function failed (RangeError)'));
      expect(JSON.stringify(logger.lines)).not.toContain('password');
    });

    it.each(['', 'rubbish', ['whsec_']])('fails with 500 if the function returns %j', async (found) => {
      const { status, body, logger } = await answerTo({ signingSecret: () => found });

      expect({ status, body }).toEqual({ status: 500, body: REFUSED });
      expect(logger.ours('error')).toEqual([expect.stringContaining('refused as misconfigured')]);
    });

    it('does not call the function if there is no body to verify', async () => {
      const find = jest.fn<SigningSecretResolver>(() => SECRET);
      const { app } = await start({ signingSecret: find });
      const scalekit = new ScalekitWebhookTester(app, { secret: SECRET });

      const { status } = await scalekit.deliver('text', { headers: { 'content-type': 'text/plain' } });

      expect(status).toBe(415);
      expect(find).not.toHaveBeenCalled();
    });
  });

  describe('with the verifier option', () => {
    const sdk = new Scalekit('https://example.invalid', 'client', 'secret');
    const bySdk: WebhookVerifier = ({ payload, headers, secrets }) =>
      secrets.some((secret) => sdk.verifyWebhookPayload(secret, headers, payload.toString()));

    it("can use Scalekit's SDK", async () => {
      const options = { signingSecret: SECRET, verifier: bySdk };

      expect((await answerTo(options)).status).toBe(201);
      expect((await answerTo(options, OTHER_SECRET)).status).toBe(401);
    });

    it.each<[string, unknown]>([
      ['false', () => false],
      ['undefined', () => undefined],
      ['a truthy value that is not true', () => 'true'],
      ['a promise of false', async () => false],
      ['a rejected promise', () => Promise.reject(new Error('no'))],
      [
        'an exception',
        () => {
          throw new Error('no');
        },
      ],
    ])('fails with 401 if the result of the verifier is %s', async (_what, decide) => {
      const options = { signingSecret: SECRET };
      Object.assign(options, { verifier: decide });

      const { status, body } = await answerTo(options);

      expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    });

    it('needs no signing secret', async () => {
      const verifier = jest.fn<WebhookVerifier>(() => true);
      const event = createScalekitEvent('user.created');
      const { app } = await start({ verifier, signingSecret: [] });

      const { status } = await new ScalekitWebhookTester(app, { secret: SECRET }).deliver(event, {
        id: 'msg_1',
      });

      expect(status).toBe(201);
      expect(verifier).toHaveBeenCalledWith({
        payload: Buffer.from(JSON.stringify(event)),
        headers: expect.objectContaining({ 'webhook-id': 'msg_1', 'content-type': 'application/json' }),
        secrets: [],
      });
    });
  });
});
