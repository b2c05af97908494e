import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { RouterModule } from '@nestjs/core';
import express from 'express';
import { ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { MountedExpressAdapter } from '../../helpers/mounted-express.js';
import { aPlainEndpoint } from '../../helpers/plain-endpoint.js';
import { run } from '../../helpers/running-app.js';
import { ADAPTERS } from '../../helpers/test-app.js';

describe('a body that somebody read before the module', () => {
  it('is answered with 500, and a log line that tells the fix', async () => {
    const logger = new CapturedLogger();
    const app = await run(() => new MountedExpressAdapter(express.json()), aPlainEndpoint(), undefined, {
      logger,
    });

    const answer = await new ScalekitWebhookTester(app).deliver(createScalekitEvent('user.created'));

    expect(answer).toMatchObject({ status: 500, body: { received: false } });
    expect(logger.ours('error')).toEqual([
      expect.stringMatching(/refused as misconfigured .*Remove body parsers that run before Nest/),
    ]);
  });

  it('is verified all the same where the reader kept its bytes as rawBody', async () => {
    const keep = express.json({
      verify: (request: IncomingMessage, _response: unknown, bytes: Buffer) => {
        Object.assign(request, { rawBody: bytes });
      },
    });
    const app = await run(() => new MountedExpressAdapter(keep), aPlainEndpoint());
    const scalekit = new ScalekitWebhookTester(app);

    expect((await scalekit.deliver(createScalekitEvent('user.created'))).status).toBe(201);
    expect((await scalekit.withForgedSignature(createScalekitEvent('user.created'))).status).toBe(401);
  });
});

describe.each(ADAPTERS)('a route that RouterModule moved, on %s', (_name, adapter) => {
  it('is answered with 500, and a log line that tells the fix', async () => {
    const logger = new CapturedLogger();
    const { imports, providers } = aPlainEndpoint();
    const app = await run(
      adapter,
      {
        imports: [...imports, RouterModule.register([{ path: 'moved', module: ScalekitWebhooksModule }])],
        providers,
      },
      undefined,
      { logger },
    );
    const scalekit = new ScalekitWebhookTester(app, { path: '/moved/webhooks/scalekit' });

    const answer = await scalekit.deliver(createScalekitEvent('user.created'));

    expect(answer).toMatchObject({ status: 500, body: { received: false } });
    expect(logger.ours('error')).toEqual([expect.stringContaining('not RouterModule')]);
  });
});
