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
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const REFUSED = { received: false };

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

describe.each(ADAPTERS)('the signing secrets of a delivery, on %s', (_name, adapter) => {
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

  it('may be several', async () => {
    const signingSecret = [OTHER_SECRET, SECRET];

    expect((await answerTo({ signingSecret })).status).toBe(201);
    expect((await answerTo({ signingSecret }, OTHER_SECRET)).status).toBe(201);
  });

  describe('found by a function', () => {
    it('may depend on the path, the endpoint and the headers', async () => {
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

    it.each([undefined, []])('are none for %j, which is answered with 401', async (found) => {
      const { status, body } = await answerTo({ signingSecret: () => found });

      expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    });

    it('are answered with 503 where the function fails, whose message is not logged', async () => {
      const { status, body, logger } = await answerTo({
        signingSecret: () => {
          throw new RangeError('postgres://user:password@host');
        },
      });

      expect({ status, body }).toEqual({ status: 503, body: REFUSED });
      expect(logger.ours('warn')).toContainEqual(expect.stringContaining('function failed (RangeError)'));
      expect(JSON.stringify(logger.lines)).not.toContain('password');
    });

    it.each(['', 'rubbish', ['whsec_']])('are answered with 500 where they are %j', async (found) => {
      const { status, body, logger } = await answerTo({ signingSecret: () => found });

      expect({ status, body }).toEqual({ status: 500, body: REFUSED });
      expect(logger.ours('error')).toEqual([expect.stringContaining('refused as misconfigured')]);
    });

    it('are not looked for where there is no body to verify', async () => {
      const find = jest.fn<SigningSecretResolver>(() => SECRET);
      const { app } = await start({ signingSecret: find });
      const scalekit = new ScalekitWebhookTester(app, { secret: SECRET });

      const { status } = await scalekit.deliver('text', { headers: { 'content-type': 'text/plain' } });

      expect(status).toBe(415);
      expect(find).not.toHaveBeenCalled();
    });
  });

  describe('given to the verifier option', () => {
    const sdk = new Scalekit('https://example.invalid', 'client', 'secret');
    const bySdk: WebhookVerifier = ({ payload, headers, secrets }) =>
      secrets.some((secret) => sdk.verifyWebhookPayload(secret, headers, payload.toString()));

    it("let Scalekit's SDK decide", async () => {
      const options = { signingSecret: SECRET, verifier: bySdk };

      expect((await answerTo(options)).status).toBe(201);
      expect((await answerTo(options, OTHER_SECRET)).status).toBe(401);
    });

    it.each<[string, unknown]>([
      ['false', () => false],
      ['nothing', () => undefined],
      ['what is only truthy', () => 'true'],
      ['a promise of false', async () => false],
      ['a rejection', () => Promise.reject(new Error('no'))],
      [
        'an exception',
        () => {
          throw new Error('no');
        },
      ],
    ])('are no use where it gives %s: 401', async (_what, decide) => {
      const options = { signingSecret: SECRET };
      Object.assign(options, { verifier: decide });

      const { status, body } = await answerTo(options);

      expect({ status, body }).toEqual({ status: 401, body: REFUSED });
    });

    it('may be none, where the verifier knows its own', async () => {
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
