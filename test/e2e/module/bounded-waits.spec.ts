import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  MemoryInboxStore,
  OnScalekitEvent,
  ScalekitEventDispatcher,
  ScalekitInbox,
  ScalekitWebhooksModule,
  type ScalekitWebhooksOptions,
} from 'nestjs-scalekit-webhooks';
import { createScalekitEvent, ScalekitWebhookTester } from 'nestjs-scalekit-webhooks/testing';
import { CapturedLogger } from '../../helpers/captured-logger.js';
import { holdClock } from '../../helpers/clock.js';
import { deferred } from '../../helpers/deferred.js';
import { run } from '../../helpers/running-app.js';
import { SECRET } from '../../helpers/secrets.js';
import { ADAPTERS } from '../../helpers/test-app.js';

class Handlers {
  @OnScalekitEvent('user.created')
  created() {}
}

const event = createScalekitEvent('user.created', {}, { seed: 1 });

describe.each(ADAPTERS)('nothing waits forever, on %s', (_name, adapter) => {
  beforeEach(() => {
    holdClock();
  });

  async function start(options: ScalekitWebhooksOptions, providers: (new () => object)[] = []) {
    const logger = new CapturedLogger();
    const app = await run(
      adapter,
      { imports: [ScalekitWebhooksModule.forRoot(options)], providers: [Handlers, ...providers] },
      undefined,
      { logger },
    );
    return { app, logger };
  }

  it.each(['signingSecret', 'verifier'] as const)(
    'a %s function that never answers makes the delivery unavailable, and names itself in the log',
    async (setting) => {
      const asked = deferred();
      const hang = () => {
        asked.resolve();
        return new Promise<never>(() => {});
      };
      const { app, logger } = await start({ signingSecret: SECRET, [setting]: hang });
      const answering = new ScalekitWebhookTester(app, { secret: SECRET }).deliver(event);
      await asked.promise;
      await jest.advanceTimersByTimeAsync(5000);

      expect((await answering).status).toBe(503);
      expect(logger.ours('warn').join()).toContain(`The ${setting} function did not answer within 5000 ms`);
    },
  );

  it('a replay rejects if the inbox never reopens the runs, and the event can be handled again', async () => {
    const inbox = new MemoryInboxStore();
    jest.spyOn(inbox, 'payload').mockResolvedValue(Buffer.from(JSON.stringify(event)) as never);
    const { app } = await start({ signingSecret: SECRET, inbox });
    jest.spyOn(inbox, 'reopen').mockReturnValueOnce(new Promise(() => {}));
    const replaying = app.get(ScalekitInbox, { strict: false }).replay(event.id);
    const rejected = expect(replaying).rejects.toThrow('the inbox did not answer in time');
    await jest.advanceTimersByTimeAsync(9000);
    await rejected;

    const dispatcher = app.get(ScalekitEventDispatcher, { strict: false });
    expect(await dispatcher.dispatch(event)).toMatchObject({ outcome: 'processed' });
  });
});

describe('an application', () => {
  it('starts although a request-scoped factory never ends', async () => {
    @Injectable()
    class Lost {
      @OnScalekitEvent('user.updated')
      updated() {}
    }
    const factory = { provide: 'LOST', scope: Scope.REQUEST, useFactory: () => new Promise<Lost>(() => {}) };
    const [, adapter] = ADAPTERS[0] ?? [];
    if (!adapter) throw new Error('no adapter');

    const app = await run(adapter, {
      imports: [ScalekitWebhooksModule.forRoot({ signingSecret: SECRET })],
      providers: [Handlers, factory],
    });

    expect((await new ScalekitWebhookTester(app).deliver(event)).status).toBe(201);
  });

  it('without HTTP starts without a signing secret', async () => {
    class WorkerModule {}
    const context = await NestFactory.createApplicationContext(
      {
        module: WorkerModule,
        imports: [ScalekitWebhooksModule.forRoot()],
        providers: [Handlers],
      },
      { logger: false },
    );

    const dispatcher = context.get(ScalekitEventDispatcher, { strict: false });
    expect(await dispatcher.dispatch(event)).toMatchObject({ outcome: 'processed' });
    await context.close();
  });
});
