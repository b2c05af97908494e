import { describe, expect, it } from '@jest/globals';
import { OnScalekitEvent, ScalekitWebhooksModule, unlistedScalekitEvent } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { run, runOnExpress } from '../../helpers/running-app.js';
import { OTHER_SECRET } from '../../helpers/secrets.js';
import { ADAPTERS, SECRET } from '../../helpers/test-app.js';

class Handlers {
  @OnScalekitEvent(['user.created', 'user.deleted'])
  users() {}

  @OnScalekitEvent('organization.*', { endpoint: 'staff' })
  organizations() {}
}

class Newer {
  @OnScalekitEvent(unlistedScalekitEvent('invoice.paid'))
  paid() {}
}

class Misspelled {
  @OnScalekitEvent('user.created', { endpoint: 'staf' })
  created() {}
}

const forRoot = (options: object = {}) =>
  ScalekitWebhooksModule.forRoot({ signingSecret: SECRET, ...options });

describe.each(ADAPTERS)('the startup log, on %s', (_name, adapter) => {
  it('has the URL with the global prefix, and the handlers', async () => {
    const logger = new CapturedLogger();

    await run(
      adapter,
      { imports: [forRoot({ name: 'staff', path: 'hooks' })], providers: [Handlers] },
      (app) => app.setGlobalPrefix('api'),
      { logger },
    );

    expect(logger.ours('log')).toEqual([
      'Receiving Scalekit events at POST /api/hooks',
      'user.created, user.deleted -> Handlers.users',
      'organization.* -> Handlers.organizations',
    ]);
  });
});

describe('the warnings at startup', () => {
  async function warnings(imports: ReturnType<typeof forRoot>[], providers: (new () => object)[]) {
    const logger = new CapturedLogger();
    await runOnExpress({ imports, providers }, undefined, { logger });
    return logger.ours('warn');
  }

  it('report a handler for an unlisted event type, and nothing else', async () => {
    expect(await warnings([forRoot({ name: 'staff' })], [Handlers, Newer])).toEqual([
      expect.stringContaining('Newer.paid handles "invoice.paid"'),
    ]);
  });

  it('report an endpoint without handlers', async () => {
    expect(await warnings([forRoot()], [])).toContainEqual(
      expect.stringMatching(/^This endpoint has no @OnScalekitEvent handler.* to a module's providers\.$/),
    );
  });

  it('report a secret of fewer than 24 bytes', async () => {
    const signingSecret = `whsec_${Buffer.alloc(23, 1).toString('base64')}`;

    expect(await warnings([forRoot({ signingSecret, name: 'staff' })], [Handlers, Newer])).toContainEqual(
      expect.stringContaining('fewer than 24 bytes'),
    );
  });

  it('that concern the whole application appear once, however many endpoints it has', async () => {
    const logger = new CapturedLogger();
    const imports = [
      forRoot({ name: 'staff' }),
      forRoot({ name: 'b', path: 'b' }),
      forRoot({ name: 'c', path: 'c' }),
    ];

    await runOnExpress({ imports, providers: [Handlers, Newer, Misspelled] }, undefined, { logger });

    expect(logger.ours('warn').filter((text) => text.startsWith('Misspelled.created handles'))).toHaveLength(
      1,
    );
  });
});

describe('a logger that throws for anything but a text', () => {
  it('gets the lines that others get as objects', async () => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line.trim());
    const logger = { log: write, warn: write, error: write, debug: write };
    const app = await runOnExpress({ imports: [forRoot()], providers: [Handlers] }, undefined, { logger });
    const tester = new ScalekitWebhookTester(app);

    await tester.deliver(createScalekitEvent('user.created'), { secret: OTHER_SECRET });

    expect(lines).toContainEqual(expect.stringContaining('signature_mismatch'));
  });
});
